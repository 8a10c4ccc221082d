package main

import (
	"context"
)

// checkMail looks whether the mail server answers and lets the server in.
// Nothing is sent.
func (d *doctor) checkMail(ctx context.Context) {
	server := d.settings.smtp
	if server == nil {
		return
	}
	how, err := within(ctx, d.limit, func(ctx context.Context) (string, error) {
		return mailer{server: server, from: d.settings.from}.try(ctx)
	})
	if err != nil {
		d.tell(finding{Verdict: isFailure, What: "mail", Detail: server.String() + ": " + err.Error(), Change: adviceOnMail(err)})
		return
	}
	d.tell(finding{Verdict: isFine, What: "mail", Detail: server.String() + " " + how})
}
