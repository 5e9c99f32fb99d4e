package settle

import (
	"fmt"

	"vitrine/core/api"
	"vitrine/core/pb"
	"vitrine/core/script"
)

// Where clients log in, the settled cluster is asked for that once more, while nothing is in the way: a password is
// right or wrong, a token is good at every member, and void at every member once the password is another or
// authentication was off.

// prober is the user that the visitor logs in as.
const prober = "probe"

// tokensShown asks for all that, and leaves authentication as it was.
func (c *rollcall) tokensShown() (string, bool) {
	if c.cfg.Workload.Logins.TTL == 0 || c.asked > 0 {
		return c.heard()
	}
	for _, n := range c.core() {
		if n.Compared() > 0 { // of clients who have gone
			return fmt.Sprintf("member %d is at a password", n.ID()), false
		}
	}
	c.asked = c.Now()
	first := c.voters()[0]
	whatever := func(any, error) string { return "" } // some of it is so already
	for _, body := range []any{
		&pb.AuthUserAddRequest{Name: "root", Options: &pb.UserAddOptions{NoPassword: true}},
		&pb.AuthUserGrantRoleRequest{User: "root", Role: "root"},
		&pb.AuthUserAddRequest{Name: prober, Password: "1"}, &pb.AuthUserGrantRoleRequest{User: prober, Role: "root"},
		&pb.AuthEnableRequest{},
	} {
		c.ask(first, body, whatever)
	}
	void := refusal(api.ErrInvalidAuthToken)
	if c.cfg.Workload.Logins.Signed {
		void = refusal(api.ErrAuthOldRevision) // it says by which state it was given out
	}
	was := first.Store().Auth.Enabled()
	c.logIn("1")
	c.showToken(script.TokenForged, refusal(api.ErrInvalidAuthToken))
	c.ask(first, &pb.AuthUserChangePasswordRequest{Name: prober, Password: "2"}, fine)
	c.showToken(script.TokenNew, void)
	c.logIn("2")
	c.ask(first, &pb.AuthDisableRequest{}, fine)
	c.showToken(script.TokenNew, fine) // nobody looks
	c.ask(first, &pb.AuthEnableRequest{}, fine)
	c.showToken(script.TokenNew, void)
	c.ask(first, &pb.AuthUserDeleteRequest{Name: prober}, fine)
	if !was {
		c.ask(first, &pb.AuthDisableRequest{}, fine)
	}
	return c.heard()
}

// logIn tries a wrong password and the right one at each member, and the token of each at all of them.
func (c *rollcall) logIn(password string) {
	for _, n := range c.voters() {
		c.ask(n, &pb.AuthenticateRequest{Name: prober, Password: "wrong"}, refusal(api.ErrAuthFailed))
		c.ask(n, &pb.AuthenticateRequest{Name: prober, Password: password}, func(answer any, err error) string {
			c.login = c.Now()
			return fine(answer, err)
		})
		c.showToken(script.TokenNew, fine)
	}
}

// showToken asks every member for something and shows a token. What each is asked first makes it catch up.
func (c *rollcall) showToken(which string, right func(any, error) string) {
	key := []byte(ProbeKey)
	for _, n := range c.voters() {
		for _, body := range []any{
			&pb.RangeRequest{Key: key}, &pb.PutRequest{Key: key, Value: []byte("t")},
			&pb.RangeRequest{Key: key, Serializable: true},
		} {
			c.askShowing(n, which, body, func(answer any, err error) string {
				if c.Now()-c.login > int64(c.cfg.Workload.Logins.TTL) && err == error(api.ErrInvalidAuthToken) {
					return "" // it may have run out
				}
				return right(answer, err)
			})
		}
	}
}
