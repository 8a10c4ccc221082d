package sfu

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

const (
	// maxOffer is more than three times what a browser sends.
	maxOffer = 64 << 10
	// maxFormats is how many payload types there are, and maxAttributes four times
	// what a browser says of one media line. Pion goes through all attributes of a
	// line for each of its formats, and keeps what it finds each time.
	maxFormats    = 128
	maxAttributes = 500
)

// offer is what a client offered, checked.
type offer struct {
	sdp string // without candidates: see parseOffer
	// mids and kinds of the m-lines, in their order.
	mids        []string
	order       []kind
	direction   [kinds]string
	fingerprint string
	ufrag       string
	remote      [kinds]uint32 // declared SSRC, 0 if none
}

// parseOffer accepts exactly one audio and one video m-line in one BUNDLE.
//
// Candidates are thrown away: an ICE-lite server needs none, it learns the
// client's address from an authenticated check, and a candidate is an address
// that a stranger would have us know. An offer with a=ice-lite is refused for
// the same reason: to a lite client we would have to write first.
func parseOffer(text string) (*offer, *Error) {
	if len(text) > maxOffer {
		return nil, rejected("the offer is larger than 64 KiB", nil)
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, rejected("the offer is not SDP", err)
	}
	if _, lite := d.Attribute(sdp.AttrKeyICELite); lite {
		return nil, rejected("the offer is ICE-lite", nil)
	}
	o := &offer{}
	var has [kinds]bool
	for _, m := range d.MediaDescriptions {
		k, ok := mediaKind(m)
		if !ok || has[k] {
			return nil, rejected("the offer must have one audio and one video line and nothing else", nil)
		}
		has[k] = true
		if err := checkSize(k, m); err != nil {
			return nil, err
		}
		if err := o.readMedia(k, &d, m); err != nil {
			return nil, err
		}
	}
	if !has[audio] || !has[video] {
		return nil, rejected("the offer must have one audio and one video line and nothing else", nil)
	}
	if err := o.checkBundle(&d); err != nil {
		return nil, err
	}
	d.Attributes = withoutCandidates(d.Attributes)
	for _, m := range d.MediaDescriptions {
		m.Attributes = withoutCandidates(m.Attributes)
	}
	clean, err := d.Marshal()
	if err != nil {
		return nil, rejected("the offer cannot be read", err)
	}
	o.sdp = string(clean)

	return o, nil
}

// checkSize refuses a media line that would be work for seconds.
func checkSize(k kind, m *sdp.MediaDescription) *Error {
	if len(m.MediaName.Formats) > maxFormats || len(m.Attributes) > maxAttributes {
		return rejected("the "+k.String()+" line has too many payload types or attributes", nil)
	}
	formats := slices.Clone(m.MediaName.Formats)
	slices.Sort(formats)
	if len(slices.Compact(formats)) < len(m.MediaName.Formats) {
		return rejected("the "+k.String()+" line names a payload type twice", nil)
	}

	return nil
}

func mediaKind(m *sdp.MediaDescription) (kind, bool) {
	switch m.MediaName.Media {
	case "audio":
		return audio, true
	case "video":
		return video, true
	}

	return 0, false
}

func (o *offer) readMedia(k kind, d *sdp.SessionDescription, m *sdp.MediaDescription) *Error {
	either := func(key string) string {
		if v, ok := m.Attribute(key); ok {
			return v
		}
		v, _ := d.Attribute(key)

		return v
	}
	mid, ok := m.Attribute(sdp.AttrKeyMID)
	fingerprint, ufrag, pwd := either("fingerprint"), either("ice-ufrag"), either("ice-pwd")
	_, lite := m.Attribute(sdp.AttrKeyICELite)
	_, simulcast := m.Attribute("simulcast")
	direction := direction(d, m)
	switch {
	case !ok || mid == "":
		return rejected("a media line has no mid", nil)
	case lite:
		return rejected("the offer is ICE-lite", nil)
	case m.MediaName.Port.Value == 0 && !bundleOnly(m):
		return rejected("the "+k.String()+" line is switched off", nil)
	case direction == "inactive":
		return rejected("the "+k.String()+" line is inactive", nil)
	case simulcast:
		return rejected("simulcast is not supported", nil)
	case fingerprint == "":
		return rejected("the offer has no DTLS fingerprint", nil)
	case len(ufrag) < 4 || len(pwd) < 22: // RFC 8839 section 5.4
		return rejected("the offer has no ICE credentials", nil)
	case o.ufrag != "" && o.ufrag != ufrag || o.fingerprint != "" && o.fingerprint != fingerprint:
		return rejected("the media lines are not bundled", nil)
	}
	o.mids, o.order = append(o.mids, mid), append(o.order, k)
	o.direction[k], o.fingerprint, o.ufrag = direction, fingerprint, ufrag
	o.remote[k] = firstSSRC(m)

	return nil
}

func bundleOnly(m *sdp.MediaDescription) bool {
	_, ok := m.Attribute("bundle-only")

	return ok
}

// direction is the m-line's own, else the session's, else sendrecv (RFC 8866 section 6.7).
func direction(d *sdp.SessionDescription, m *sdp.MediaDescription) string {
	for _, attributes := range [][]sdp.Attribute{m.Attributes, d.Attributes} {
		for _, a := range attributes {
			switch a.Key {
			case "sendrecv", "sendonly", "recvonly", "inactive":
				return a.Key
			}
		}
	}

	return "sendrecv"
}

// firstSSRC is the media stream that the m-line declares: the first of a flow
// identification group or else the first of all. It is 0 if there is none.
func firstSSRC(m *sdp.MediaDescription) uint32 {
	for _, a := range m.Attributes {
		if a.Key != "ssrc" && a.Key != "ssrc-group" {
			continue
		}
		for field := range strings.FieldsSeq(a.Value) {
			if n, err := strconv.ParseUint(field, 10, 32); err == nil {
				return uint32(n)
			}
		}
	}

	return 0
}

// checkBundle wants both m-lines in the one group that all media shares.
func (o *offer) checkBundle(d *sdp.SessionDescription) *Error {
	if o.mids[0] == o.mids[1] {
		return rejected("two media lines have the same mid", nil)
	}
	for _, a := range d.Attributes {
		if a.Key != sdp.AttrKeyGroup {
			continue
		}
		group := strings.Fields(a.Value)
		if len(group) > 0 && group[0] == "BUNDLE" &&
			slices.Contains(group, o.mids[0]) && slices.Contains(group, o.mids[1]) {
			return nil
		}
	}

	return rejected("the media lines are not bundled", nil)
}

func withoutCandidates(attributes []sdp.Attribute) []sdp.Attribute {
	return slices.DeleteFunc(attributes, func(a sdp.Attribute) bool {
		return a.Key == "candidate" || a.Key == "remote-candidates"
	})
}

// restarts reports whether o is an ICE restart of the connection that was made
// by before, and nothing else.
func (o *offer) restarts(before *offer) bool {
	return o.ufrag != before.ufrag && strings.EqualFold(o.fingerprint, before.fingerprint) &&
		slices.Equal(o.mids, before.mids) && slices.Equal(o.order, before.order) &&
		o.direction == before.direction
}
