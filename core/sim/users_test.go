package sim

import (
	"testing"
	"time"

	"vitrine/core/api"
	"vitrine/core/trace"
)

// told counts how requests end, by the text of their errors.
type told map[string]int

// Emit implements trace.Sink.
func (t told) Emit(e *trace.Event) {
	if e.Kind == trace.RequestDone {
		t[e.Text]++
	}
}

// TestUsersAreRefused: where users are on, some of what they ask is refused and most is not, whatever goes wrong
// besides.
func TestUsersAreRefused(t *testing.T) {
	all := told{}
	for seed := range uint64(12) {
		cfg := DefaultConfig()
		cfg.Seed, cfg.Workload.Users, cfg.Faults, cfg.FaultsFor = seed, true, seed%4 > 0, 20*time.Second
		w, err := New(cfg, all)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.Run(20 * time.Second); v != nil {
			t.Fatalf("seed %d: %v at %v\n%s\n%v", seed, v, time.Duration(v.At), w.Stack(), w.Options())
		}
		users := w.leader().store.Auth
		revision := users.Revision()
		t.Logf("seed %d: auth revision %d, enabled %v", seed, revision, users.Enabled())
		if seed%4 == 0 && revision < 20 {
			t.Errorf("seed %d: users changed %d times", seed, revision)
		}
	}
	for _, text := range []string{
		"", api.ErrPermissionDenied.Text, api.ErrAuthOldRevision.Text, api.ErrRoleNotGranted.Text,
		api.ErrUserAlreadyExist.Text,
	} {
		if all[text] == 0 {
			t.Errorf("no request ends with %q: %v", text, all)
		}
	}
	if all[""] < all[api.ErrPermissionDenied.Text] {
		t.Errorf("%d are answered, %d denied", all[""], all[api.ErrPermissionDenied.Text])
	}
}

// TestTokensAreShown: where clients log in they are let in by their tokens, and sent away by bad ones and by wrong
// passwords, whatever goes wrong besides; simple tokens and signed ones.
func TestTokensAreShown(t *testing.T) {
	for _, signed := range []bool{false, true} {
		all := told{}
		for seed := range uint64(8) {
			cfg := DefaultConfig()
			cfg.Seed, cfg.Workload.Users, cfg.Faults, cfg.FaultsFor = seed, true, seed%2 > 0, 20*time.Second
			cfg.Workload.Logins = Logins{TTL: 2 * time.Second, Work: 50 * time.Millisecond, Signed: signed}
			w, err := New(cfg, all)
			if err != nil {
				t.Fatal(err)
			}
			if v := w.Run(20 * time.Second); v != nil {
				t.Fatalf("signed: %t, seed %d: %v at %v\n%s\n%v", signed, seed, v, time.Duration(v.At), w.Stack(), w.Options())
			}
		}
		for _, text := range []string{
			"", api.ErrPermissionDenied.Text, api.ErrInvalidAuthToken.Text, api.ErrAuthFailed.Text, api.ErrUserEmpty.Text,
			api.ErrAuthNotEnabled.Text, api.ErrAuthOldRevision.Text,
		} {
			if all[text] == 0 {
				t.Errorf("signed: %t: no request ends with %q: %v", signed, text, all)
			}
		}
		if all[""] < all[api.ErrInvalidAuthToken.Text] {
			t.Errorf("signed: %t: %d are answered, %d have a bad token", signed, all[""], all[api.ErrInvalidAuthToken.Text])
		}
	}
}

// TestVisitorLogsIn: a token is shown on request, at every member, and is void when the password is another.
func TestVisitorLogsIn(t *testing.T) {
	w := still(t, 3)
	bad := api.ErrInvalidAuthToken.Text
	for _, step := range []struct{ line, want string }{
		{"user-add name=root", ""}, {"role-add name=root", ""}, {"grant-role name=root value=root", ""},
		{"user-add name=ann value=one", ""}, {"login name=ann value=one", api.ErrAuthNotEnabled.Text},
		{"auth name=enable", ""}, {"login name=ann value=two", api.ErrAuthFailed.Text}, {"login name=ann value=one", ""},
		{"get key=a token=new member=1", api.ErrPermissionDenied.Text}, {"grant-role name=ann value=root", ""},
		{"put key=a value=1 token=new member=1", ""}, {"put key=a value=1 token=new member=2", ""},
		{"get key=a token=new member=3", ""}, {"get key=a token=forged", bad},
		{"get key=a token=none", api.ErrUserEmpty.Text},
		{"password name=ann value=two", ""}, {"get key=a token=new", bad}, {"login name=ann value=two", ""},
		{"get key=a token=old", bad}, {"get key=a token=new", ""},
	} {
		id := do(t, w, step.line)
		if r := requestOfID(t, wait(t, w, time.Second), id); r.Status == "pending" || r.Error != step.want {
			t.Errorf("%s: %s, %q, want %q", step.line, r.Status, r.Error, step.want)
		}
	}
}

// TestTokensAndSnapshots: a member that is given a state instead of the entries cannot know which of its tokens they
// have made void, and takes none of them; where no user has changed all are good.
func TestTokensAndSnapshots(t *testing.T) {
	for change, want := range map[string]string{
		"password name=ann value=two member=1": api.ErrInvalidAuthToken.Text, "put key=a value=2 member=1": "",
	} {
		w := quiet(t, func(c *Config) {
			c.Workload.Rate, c.Workload.Watches, c.SnapshotCount, c.SnapshotCatchUp, c.CompactEntries = 0, 0, 10, 2, 2
		})
		installs := installed(0)
		w.stream.Attach(&installs)
		until(t, w, 5*time.Second)
		for _, line := range []string{
			"user-add name=root", "grant-role name=root value=root", "user-add name=ann value=one",
			"grant-role name=ann value=root", "auth name=enable", "login name=ann value=one",
			"get key=a token=new member=3", "isolate member=3", change,
		} {
			do(t, w, line)
			until(t, w, time.Duration(w.Now())+time.Second)
		}
		for range 40 {
			do(t, w, "put key=b value=1 member=1")
			until(t, w, time.Duration(w.Now())+100*time.Millisecond)
		}
		do(t, w, "heal member=3")
		until(t, w, time.Duration(w.Now())+5*time.Second)
		caughtUp := w.byID(3).store.Applied().Index == w.byID(1).store.Applied().Index && installs > 0
		id := do(t, w, "get key=a serializable token=new member=3")
		if r := requestOfID(t, wait(t, w, time.Second), id); r.Error != want || !caughtUp {
			t.Errorf("after %q: %s, %q, want %q; it was given the state: %t", change, r.Status, r.Error, want, caughtUp)
		}
	}
}

// TestATokenLivesOnAStream: a member that is given a state keeps a token; a watch uses it, and it lives for as long
// again.
func TestATokenLivesOnAStream(t *testing.T) {
	w := quiet(t, func(c *Config) {
		c.Workload.Rate, c.Workload.Watches, c.SnapshotCount, c.SnapshotCatchUp, c.CompactEntries = 0, 0, 10, 2, 2
		c.Workload.Logins = Logins{TTL: 20 * time.Second, Work: time.Millisecond}
	})
	installs := installed(0)
	w.stream.Attach(&installs)
	pass := func(d time.Duration) { until(t, w, time.Duration(w.Now())+d) }
	pass(5 * time.Second)
	for _, line := range []string{
		"user-add name=root", "grant-role name=root value=root", "user-add name=ann value=one",
		"grant-role name=ann value=root", "auth name=enable", "login name=ann value=one", "get key=a token=new member=3",
		"isolate member=3",
	} {
		do(t, w, line)
		pass(time.Second)
	}
	for range 30 {
		do(t, w, "put key=b value=1 member=1")
		pass(100 * time.Millisecond)
	}
	do(t, w, "heal member=3")
	pass(5 * time.Second)
	do(t, w, "watch key=a token=new member=3")
	pass(15 * time.Second)
	id := do(t, w, "get key=a serializable token=new member=3")
	r := requestOfID(t, wait(t, w, time.Second), id)
	if v := w.Violation(); v != nil || r.Error != "" || installs == 0 {
		t.Errorf("%v; %s, %q; states installed: %d", v, r.Status, r.Error, installs)
	}
}

// installed counts the states that members are given.
type installed int

// Emit implements trace.Sink.
func (n *installed) Emit(e *trace.Event) {
	if e.Kind == trace.SnapshotInstalled {
		*n++
	}
}

// TestKeysOfLeasesAreAskedFor: where users are on, who is not root may renew a lease if he may write its keys; only the
// store knows these, so his call waits for them, and is answered.
func TestKeysOfLeasesAreAskedFor(t *testing.T) {
	w := still(t, 3)
	for _, line := range []string{
		"user-add name=root", "role-add name=root", "grant-role name=root value=root",
		"user-add name=ann", "role-add name=some", "grant name=some key=a value=readwrite", "grant-role name=ann value=some",
		"lease-grant lease=7 ttl=60", "put key=a value=1 lease=7", "auth name=enable",
	} {
		id := do(t, w, line)
		if r := requestOfID(t, wait(t, w, time.Second), id); r.Status != "ok" {
			t.Fatalf("%s: %s %s", line, r.Status, r.Error)
		}
	}
	for line, want := range map[string]string{
		"keep-alive lease=7 as=ann": "", "keep-alive lease=7 as=bob": api.ErrPermissionDenied.Text,
	} {
		id := do(t, w, line)
		if r := requestOfID(t, wait(t, w, time.Second), id); r.Status == "pending" || r.Error != want {
			t.Errorf("%s: %s, %q, want %q", line, r.Status, r.Error, want)
		}
	}
}

// TestAWatchIsRefused: who may not read a key cannot watch it, and is told so at once; which permission was lacking is
// an event of the question. Who may, watches.
func TestAWatchIsRefused(t *testing.T) {
	w := still(t, 3)
	denied := deniedWatches{}
	w.stream.Attach(denied)
	for _, line := range []string{
		"user-add name=root", "role-add name=root", "grant-role name=root value=root",
		"user-add name=ann", "role-add name=some", "grant name=some key=a value=readwrite", "grant-role name=ann value=some",
		"auth name=enable",
	} {
		id := do(t, w, line+" as=root")
		if r := requestOfID(t, wait(t, w, time.Second), id); r.Status != "ok" {
			t.Fatalf("%s: %s %s", line, r.Status, r.Error)
		}
	}
	for _, key := range []string{"b", "a"} {
		do(t, w, "watch key="+key+" as=ann")
		wait(t, w, time.Second)
	}
	if denied["annb"] != 1 || len(denied) != 1 {
		t.Errorf("denied: %v", denied)
	}
	for _, wt := range w.clients.Watchers() {
		if key := string(wt.Create.Key); wt.Client == 0 && wt.Closed == (key == "a") {
			t.Errorf("the watch of %s is over: %v, %s", key, wt.Closed, wt.Reason)
		}
	}
}

// deniedWatches counts refusals of watches by user and key.
type deniedWatches map[string]int

// Emit implements trace.Sink.
func (d deniedWatches) Emit(e *trace.Event) {
	if e.Kind == trace.RequestDenied && e.Request == 0 && e.Cause != 0 {
		d[e.Text]++
	}
}
