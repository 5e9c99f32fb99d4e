package trial

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// event is one change of a key.
type event struct {
	key    string
	remove bool
	token  string // which operation wrote the value
	sum    uint32 // of the value
}

func (e event) String() string {
	if e.remove {
		return "delete " + e.key
	}
	return "put " + e.key + "=" + e.token
}

// put makes an event from a value, which begins with its token.
func put(key, value string) event {
	token, _, _ := strings.Cut(value, "|")
	return event{key: key, token: token, sum: crc32.ChecksumIEEE([]byte(value))}
}

// operation is a write that a client has sent. It has one of its branches as its
// effect, at one revision, or none.
type operation struct {
	id       int
	branches [][]event
	acked    bool
	rev      int64 // of the answer; 0 if nothing was changed
	seen     int64 // the revision at which the members have it
}

// pair is a key as the history says that it must be.
type pair struct {
	event
	create, mod, version int64
}

// history is all that was sent, acknowledged and seen, and what follows from it.
type history struct {
	mu    sync.Mutex
	ops   []*operation
	acked map[int64]*operation
	revs  map[int64][]event // seen
	last  int64             // the latest revision that somebody was told of

	settled int64 // up to here every revision is explained
	state   map[string]pair
}

func newHistory() *history {
	return &history{acked: map[int64]*operation{}, revs: map[int64][]event{}, state: map[string]pair{}, settled: 1}
}

// begin notes a write before it is sent; make builds its branches from the token.
func (h *history) begin(build func(token string) [][]event) *operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	op := &operation{id: len(h.ops)}
	op.branches = build(strconv.Itoa(op.id))
	h.ops = append(h.ops, op)
	return op
}

// ack notes that a write was acknowledged.
func (h *history) ack(op *operation, rev int64, changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	op.acked = true
	h.last = max(h.last, rev)
	if changed {
		op.rev = rev
		h.acked[rev] = op
	}
}

// count is how many writes were sent and acknowledged.
func (h *history) count() (sent, acked int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range h.ops {
		if op.acked {
			acked++
		}
	}
	return len(h.ops), acked
}

// observe notes what a member says of a revision: always the same.
func (h *history) observe(rev int64, events []event, who string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = max(h.last, rev)
	known, ok := h.revs[rev]
	if !ok {
		h.revs[rev] = slices.Clone(events)
		return nil
	}
	if !slices.Equal(known, events) {
		return fmt.Errorf("revision %d was %v, and is %v for %s", rev, known, events, who)
	}
	return nil
}

// lastSeen is the revision up to which everything is known without a gap.
func (h *history) lastSeen() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	rev := h.settled
	for h.revs[rev+1] != nil {
		rev++
	}
	return rev
}

// settle explains every revision up to upTo, at which a member stands, and
// returns what cannot be explained.
func (h *history) settle(upTo int64, who string) (lost, wrong []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range h.ops {
		if op.acked && op.rev > upTo {
			lost = append(lost, fmt.Sprintf("%s stands at revision %d, and %v was acknowledged at %d",
				who, upTo, op.branches[0], op.rev))
		}
	}
	if h.last > upTo {
		lost = append(lost, fmt.Sprintf("%s stands at revision %d, and %d has been seen", who, upTo, h.last))
	}
	for rev := h.settled + 1; rev <= upTo; rev++ {
		events := h.revs[rev]
		op := h.explain(rev, events)
		if a := h.acked[rev]; a != nil && op != a {
			lost = append(lost, fmt.Sprintf("%v was acknowledged at revision %d, where there is %v",
				a.branches[0], rev, events))
			continue
		}
		if op == nil {
			wrong = append(wrong, fmt.Sprintf("%s: revision %d is %v, which nobody has asked for there", who, rev, events))
			continue
		}
		op.seen = rev
		h.apply(rev, events)
	}
	h.settled = max(h.settled, upTo)
	return lost, wrong
}

// explain finds the operation that a revision comes from.
func (h *history) explain(rev int64, events []event) *operation {
	if len(events) == 0 {
		return nil
	}
	fits := func(op *operation) bool {
		return op.seen == 0 && (!op.acked || op.rev == rev) &&
			slices.ContainsFunc(op.branches, func(b []event) bool { return h.matches(b, events) })
	}
	if op := h.acked[rev]; op != nil {
		if fits(op) {
			return op
		}
		return nil
	}
	for _, e := range events {
		id, err := strconv.Atoi(strings.TrimRight(e.token, "te"))
		if err == nil && !e.remove && id < len(h.ops) && fits(h.ops[id]) {
			return h.ops[id]
		}
	}
	for _, op := range h.ops { // a delete has no value that names it
		if !op.acked && fits(op) {
			return op
		}
	}
	return nil
}

// matches compares events with a branch, whose deletes have no effect on a key that is not there.
func (h *history) matches(branch, events []event) bool {
	var want []event
	for _, e := range branch {
		if _, there := h.state[e.key]; !e.remove || there {
			want = append(want, e)
		}
	}
	return slices.Equal(want, events)
}

func (h *history) apply(rev int64, events []event) {
	for _, e := range events {
		if e.remove {
			delete(h.state, e.key)
			continue
		}
		p := h.state[e.key]
		if p.version == 0 {
			p.create = rev
		}
		h.state[e.key] = pair{e, p.create, rev, p.version + 1}
	}
}

// differs compares what a member has at the settled revision with what it must have.
func (h *history) differs(have map[string]pair) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, want := range h.state {
		if got, ok := have[key]; !ok || got != want {
			return fmt.Sprintf("%s is %+v instead of %+v", key, got, want)
		}
	}
	for key, got := range have {
		if _, ok := h.state[key]; !ok {
			return fmt.Sprintf("%s is %+v and must not be there", key, got)
		}
	}
	return ""
}
