package sim

import (
	"flag"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"vitrine/core/api"
	"vitrine/core/picture"
	"vitrine/core/sim/judge"
	"vitrine/core/trace"
)

var pictureSeeds = flag.Int("picture-seeds", 4, "how many seeds TestFoldIsTheWorld compares")

// TestFoldIsTheWorld holds the picture that is folded from events to what the
// world itself knows of its members, at every moment in which something happens.
func TestFoldIsTheWorld(t *testing.T) {
	for seed := range *pictureSeeds {
		t.Run(fmt.Sprint(seed+1), func(t *testing.T) { compareFold(t, uint64(seed+1)) })
	}
}

// TestOperationsHaveNames: an event's number of an operation is told in words.
func TestOperationsHaveNames(t *testing.T) {
	for op := range api.Operation(api.Operations) {
		if op.Method() != "" && picture.OpName(uint64(op)) == "" {
			t.Errorf("operation %d, %s, has no name", op, op.Method())
		}
	}
}

func compareFold(t *testing.T, seed uint64) {
	cfg := DefaultConfig()
	cfg.Seed, cfg.Members, cfg.Faults, cfg.Mirrored = seed, 3+2*int(seed%2), true, true
	cfg.Hashes = seed%3 == 0
	p := picture.New(picture.Options{Window: cfg.LogWindow, Lights: judge.Lights()})
	w, err := New(cfg, p)
	if err != nil {
		t.Fatal(err)
	}
	var fold picture.State
	for w.Now() < trace.Instant(10*time.Second) && w.StepEvent() {
		if w.NextAt() == w.Now() || slices.ContainsFunc(w.nodes, comparesItself) {
			continue // in the middle of a moment, or of a start that events tell as one
		}
		p.Into(&fold, w.Now())
		if diff := differs(&fold, w.State()); diff != "" {
			t.Fatalf("at %v, event %d: %s", time.Duration(w.Now()), w.Events(), diff)
		}
	}
}

// comparesItself: a member that is to start has read its disk, and asks the others before it enters the cluster.
func comparesItself(n *node) bool { return n.process == starting && n.store != nil }

// differs says where a fold is not as the world; "" if nowhere.
func differs(fold, world *picture.State) string {
	for i := range fold.Messages {
		fold.Messages[i].ID = 0
	}
	slices.SortFunc(fold.Messages, func(a, b picture.Message) int {
		return int(int64(a.Seq)-int64(b.Seq))*2 + int(a.Arrives-b.Arrives)%2
	})
	for i := range fold.Requests {
		r := &fold.Requests[i]
		r.Stations, r.Wire, r.Lack, r.Missed, r.Fate, r.FateRev = nil, picture.Wire{}, picture.Lack{}, nil, "", 0
		r.Behind = nil
	}
	for i := range fold.Watches {
		fold.Watches[i].Pushes = nil // nor is what is on its way to a client part of its state
	}
	for i := range fold.Members {
		m := &fold.Members[i]
		m.Refusals = nil // a world does not know why members say no
		m.Standing, m.Joining = "", false
		if i < len(world.Members) && world.Members[i].Image == nil {
			m.Image = nil // whether the member has taken it, or given up, its leader tells later
		}
		for k := range m.Log { // of a change of the members the fold says what it does
			if i < len(world.Members) && k < len(world.Members[i].Log) && world.Members[i].Log[k].Text == "conf" {
				m.Log[k].Text = "conf"
			}
		}
	}
	if c := fold.Conf.Pending; c != nil {
		fold.Conf.Pending = &picture.Change{Index: c.Index}
	}
	if fold.Conf.Index = 0; world.Conf.By == 0 {
		fold.Conf = picture.Conf{} // of those whose processes are gone
	}
	fold.Requests = slices.DeleteFunc(fold.Requests, func(r picture.Request) bool { return forgotten(&r, world) })
	a, b := reflect.ValueOf(*fold), reflect.ValueOf(*world)
	if same(a, b) {
		return ""
	}
	return diff("", a, b)
}

// forgotten tells whether a request was over before all that are over in the world's list, which is shorter: the fold
// keeps those of the visitor apart.
func forgotten(r *picture.Request, world *picture.State) bool {
	return r.Done != 0 && !slices.ContainsFunc(world.Requests, func(o picture.Request) bool {
		return o.ID == r.ID || o.Done != 0 && o.Done < r.Done
	})
}

// same is diff without the words. Empty slices are equal.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		for i := range min(a.Len(), b.Len()) {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return a.Len() == b.Len()
	case reflect.Pointer:
		return a.IsNil() && b.IsNil() || !a.IsNil() && !b.IsNil() && same(a.Elem(), b.Elem())
	}
	return a.Equal(b)
}

// diff names the first place where two values differ.
func diff(at string, a, b reflect.Value) string {
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if d := diff(at+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i)); d != "" {
				return d
			}
		}
		return ""
	case reflect.Slice:
		for i := range min(a.Len(), b.Len()) {
			if d := diff(fmt.Sprintf("%s[%d]", at, i), a.Index(i), b.Index(i)); d != "" {
				return d
			}
		}
		if a.Len() == b.Len() {
			return ""
		}
		rest, n := a, b.Len()
		if a.Len() < b.Len() {
			rest, n = b, a.Len()
		}
		return fmt.Sprintf("%s has %d in the fold and %d in the world, from there on %+v", at, a.Len(), b.Len(),
			rest.Slice(n, rest.Len()).Interface())
	}
	if reflect.DeepEqual(a.Interface(), b.Interface()) {
		return ""
	}
	return fmt.Sprintf("%s is %+v in the fold and %+v in the world", at, a.Interface(), b.Interface())
}
