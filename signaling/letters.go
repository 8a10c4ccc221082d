package signaling

import (
	"fmt"
	"strings"
)

// scribe writes the mails of one server. They are short and plain, say where they come from and what to do if it was not
// the reader. What strangers can choose of them is a user name, which has letters and digits only.
type scribe struct {
	place string // what people know this server by, such as its host name
}

// mail puts lines of a letter together.
func (w scribe) mail(to, subject string, paragraphs ...string) Mail {
	text := "Hello,\n\n" + strings.Join(paragraphs, "\n\n") +
		"\n\n-- \nSmall Talk at " + w.place + ". Nobody reads answers to this mail.\n"
	return Mail{To: to, Subject: subject, Text: text}
}

func codeLines(code string) string {
	return fmt.Sprintf("    %s\n\nIt is good for %d minutes and once. If a newer mail brings another code,\nonly that one counts.", code, int(mailCodeTime.Minutes()))
}

// signUpCode lets the address have an account.
func (w scribe) signUpCode(to, code string) Mail {
	return w.mail(to, "Your code for "+w.place,
		"Somebody, hopefully you, is making an account at "+w.place+"\nwith this address. The page asks for this code:",
		codeLines(code),
		"Was it not you? Then do nothing: without the code there is no account with\nyour address. Give it to nobody, whatever they say.")
}

// accountExists takes the place of signUpCode where somebody has the address.
func (w scribe) accountExists(to, username string) Mail {
	return w.mail(to, "You have an account at "+w.place,
		"Somebody, perhaps you, has tried to make an account at "+w.place+"\nwith this address. You have one already. Its user name is "+username+".",
		"If you have forgotten the password, choose \"Forgot your password?\" where you\nlog in, and you are sent a code to set a new one.",
		"Was it not you? Then do nothing: nothing was changed, and whoever it was has\nnot been told that you have an account.")
}

// accountCode gives the address to an account.
func (w scribe) accountCode(to, code, username string) Mail {
	return w.mail(to, "Your code for "+w.place,
		"Somebody, hopefully you, wants to give this address to the account\n"+username+" at "+w.place+". The page asks for this code:",
		codeLines(code),
		"Was it not you? Then do nothing: without the code the address is not taken.\nGive it to nobody, whatever they say.")
}

// addressWanted takes the place of accountCode where another account has the address.
func (w scribe) addressWanted(to, username string) Mail {
	return w.mail(to, "Your account at "+w.place,
		"Somebody, perhaps you, has tried to give this address to another account at\n"+w.place+". It stays with yours, whose user name is "+username+".",
		"If you want it there, take it off this account first. Was it not you? Then do\nnothing: nothing was changed.")
}

// resetCode sets a new password.
func (w scribe) resetCode(to, code, username string) Mail {
	return w.mail(to, "A new password for "+w.place,
		"Somebody, hopefully you, wants to set a new password for the account\n"+username+" at "+w.place+". The page asks for this code:",
		codeLines(code),
		"The new password logs you out everywhere else.",
		"Was it not you? Then do nothing: the password stays as it is. Give the code\nto nobody, whatever they say: whoever has it has your account.")
}

// passwordChanged tells the owner of the account that it happened.
func (w scribe) passwordChanged(to, username string) Mail {
	return w.mail(to, "Your password at "+w.place+" was changed",
		"The account "+username+" at "+w.place+" has a new password, and was\nlogged out everywhere else.",
		"Was it not you? Then somebody knows your old password or a recovery code, or\nreads your mail. Make sure that your mailbox is yours alone, set a new password\nby \"Forgot your password?\" where you log in, and then look in the account for\npasskeys that are not yours and make new recovery codes.")
}

// addressChanged tells the address of before that mail about the account does not come here any more.
func (w scribe) addressChanged(to, username string) Mail {
	return w.mail(to, "Your account at "+w.place+" has another address",
		"This address was taken off the account "+username+" at "+w.place+".\nNo more mail about the account comes here, and it cannot be opened by this\naddress any more.",
		"Was it not you? Then somebody is in your account: log in, change the password,\nwhich logs everybody else out, and give the account your address again.")
}
