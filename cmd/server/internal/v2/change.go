package v2

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"vitrine/cmd/server/internal/tasks"
	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/pb"
)

// store is what is kept for clients of version 2: keys of version 3.
type store struct {
	door    Door
	now     func() time.Time
	ctx     context.Context // ends with the handler
	tidy    *tasks.Pool
	untidy  atomic.Int64 // what waits for it
	figures figures
}

// term is how long a node stays: a lease, and when it runs out. The zero value is for ever.
type term struct{ lease, expires int64 }

// plan is a change that has been decided on, if all is still as it was.
type plan struct {
	compare  []*pb.Compare
	ops      []*pb.RequestOp
	note     *pb.RequestOp // of a removal, the last of its operations
	answer   func(*pb.TxnResponse) (*Event, error)
	replaced int64 // the lease of the node that was there; 0: none
}

// do is the transaction, which reads the way to a node if it is not as it was.
func (p *plan) do(target string) *pb.TxnRequest {
	ops := p.ops
	if p.note != nil {
		ops = append(ops[:len(ops):len(ops)], p.note)
	}
	return &pb.TxnRequest{Compare: p.compare, Success: ops, Failure: lookups(target, false)}
}

// change decides what a request does and does it, until nothing has changed between the two.
func (s *store) change(ctx context.Context, who api.Identity, q *request) (*Event, error) {
	target := q.path
	if q.method == http.MethodPost {
		target = join(q.path, "0") // whose name follows from the revision; what matters is the way to it
	}
	w, err := s.look(ctx, who, target, false)
	if err != nil {
		return nil, err
	}
	var t term
	for {
		if w.stale != nil {
			if err := s.clear(ctx, w.stale); err != nil {
				return nil, s.drop(t, err)
			}
			if w, err = s.look(ctx, who, target, false); err != nil {
				return nil, s.drop(t, err)
			}
			continue
		}
		if err := s.count(ctx, who, q, w); err != nil {
			return nil, s.drop(t, err)
		}
		p, refused := s.decide(q, w, t)
		if refused != nil {
			return nil, s.drop(t, refused)
		}
		if q.ttl != nil && t.lease == 0 {
			if t, err = s.grant(ctx, who, *q.ttl); err != nil {
				return nil, err
			}
			continue // and decide with it
		}
		resp, err := ask[pb.TxnResponse](ctx, s, who, p.do(target))
		if errors.Is(err, api.ErrNoSpace) && p.note != nil {
			p.note = nil // to make room matters more than to tell how
			resp, err = ask[pb.TxnResponse](ctx, s, who, p.do(target))
		}
		if err != nil {
			return nil, s.drop(t, err)
		}
		if resp.Succeeded {
			s.release(p.replaced)
			return finished(p, resp)
		}
		was := w
		if w, err = wayFrom(target, resp); err != nil {
			return nil, s.drop(t, err)
		}
		if w.revision == was.revision {
			w.taken = was.taken + 1
		}
	}
}

func finished(p *plan, resp *pb.TxnResponse) (*Event, error) {
	e, err := p.answer(resp)
	if err != nil {
		return nil, err
	}
	e.index, e.term = resp.Header.Revision, resp.Header.RaftTerm
	return e, nil
}

// count looks whether a directory is empty that is to be removed only then.
func (s *store) count(ctx context.Context, who api.Identity, q *request, w *way) error {
	if q.method != http.MethodDelete || !q.dir || q.recursive || w.leaf == nil || !w.leaf.dir {
		return nil
	}
	w.full = false
	err := s.walk(ctx, who, walk{dir: q.path, born: w.leaf.incarned, revision: w.revision}, func(*entry) (bool, error) {
		w.full = true
		return false, errEnough
	})
	if err == errEnough || compacted(err) { // what has been compacted meanwhile is compared again, and fails
		return nil
	}
	return err
}

// decide is what a request does to what is there.
func (s *store) decide(q *request, w *way, t term) (*plan, *Error) {
	swaps := q.prevValue != "" || q.prevIndex != 0
	switch {
	case q.method == http.MethodPost:
		return s.createInOrder(q, w, t)
	case q.method == http.MethodDelete && swaps:
		return s.compareAndDelete(q, w)
	case q.path == root:
		return nil, fail(codeRootReadOnly, root, w.revision)
	case q.method == http.MethodDelete:
		return s.remove(q, w)
	case q.prevExist != nil && !*q.prevExist:
		return s.create(q, w, t)
	case swaps:
		return s.compareAndSwap(q, w, t)
	case q.prevExist != nil:
		return s.update(q, w, t)
	}
	return s.set(q, w, t)
}

// onTheWay compares that the way to a node is as it was, and makes the directories that are missing.
func (w *way) onTheWay() (p plan) {
	for _, d := range w.dirs {
		p.compare = append(p.compare, created(keyOf(d.path), d.incarned))
	}
	for _, m := range w.missing {
		p.compare = append(p.compare, created(keyOf(m), 0))
		p.ops = append(p.ops, put(&pb.PutRequest{Key: []byte(keyOf(m)), Value: (&record{dir: true}).encode()}))
	}
	return p
}

// write adds the put of a node to a plan, and the answer that tells of it.
func (s *store) write(p plan, path string, r record, t term, old *entry) *plan {
	r.expires = t.expires
	at := len(p.ops)
	p.ops = append(p.ops, put(&pb.PutRequest{Key: []byte(keyOf(path)), Value: r.encode(), Lease: t.lease, PrevKv: true}))
	if old != nil {
		p.replaced = old.lease
	}
	p.answer = func(resp *pb.TxnResponse) (*Event, error) {
		e := &entry{record: r, path: path, modified: resp.Header.Revision}
		event := &Event{Action: r.action.String(), Node: e.node(s.now())}
		if kv := resp.Responses[at].GetResponsePut().GetPrevKv(); kv != nil {
			was, err := entryOf(path, kv)
			if err != nil {
				return nil, err
			}
			event.PrevNode = was.node(s.now())
		}
		return event, nil
	}
	return &p
}

// set writes a file, whatever file is there, or a directory.
func (s *store) set(q *request, w *way, t term) (*plan, *Error) {
	if w.file != nil || q.refresh && w.leaf == nil {
		return nil, w.absent(q.path)
	}
	if w.leaf != nil && w.leaf.dir {
		return nil, fail(codeNotFile, q.path, w.revision)
	}
	p, key := w.onTheWay(), keyOf(q.path)
	r := record{dir: q.dir, action: set, refresh: q.refresh, value: q.value}
	switch {
	case w.leaf == nil:
		p.compare = append(p.compare, created(key, 0))
	case q.refresh:
		p.compare = append(p.compare, modified(key, w.leaf.modified))
		r.value = w.leaf.value
	default:
		p.compare = append(p.compare, isFile(key))
	}
	if r.dir {
		r.value = ""
	}
	return s.write(p, q.path, r, t, w.leaf), nil
}

// create writes a node that must not be there.
func (s *store) create(q *request, w *way, t term) (*plan, *Error) {
	if w.file != nil {
		return nil, w.absent(q.path)
	}
	if w.leaf != nil {
		return nil, fail(codeExists, q.path, w.revision)
	}
	p := w.onTheWay()
	p.compare = append(p.compare, created(keyOf(q.path), 0))
	r := record{dir: q.dir, action: create, value: q.value}
	if r.dir {
		r.value = ""
	}
	return s.write(p, q.path, r, t, nil), nil
}

// createInOrder writes a node whose name is the next index. If anything that is named later has been written meanwhile
// the name would not be the last any more.
func (s *store) createInOrder(q *request, w *way, t term) (*plan, *Error) {
	if w.file != nil {
		return nil, w.absent(q.path)
	}
	path := join(q.path, fmt.Sprintf("%020d", w.revision+1+w.taken))
	p, key := w.onTheWay(), keyOf(path)
	p.compare = append(p.compare, created(key, 0), unchangedSince(key, string(end(keyOf(q.path))), w.revision))
	r := record{dir: q.dir, action: create, value: q.value}
	if r.dir {
		r.value = ""
	}
	return s.write(p, path, r, t, nil), nil
}

// update writes a node that must be there. Of a directory only the time to live changes.
func (s *store) update(q *request, w *way, t term) (*plan, *Error) {
	if err := w.absent(q.path); err != nil {
		return nil, err
	}
	if w.leaf.dir && q.value != "" {
		return nil, fail(codeNotFile, q.path, w.revision)
	}
	return s.rewrite(q, w, t, update), nil
}

// compareAndSwap writes a file that must be as it is said.
func (s *store) compareAndSwap(q *request, w *way, t term) (*plan, *Error) {
	if err := w.compare(q); err != nil {
		return nil, err
	}
	return s.rewrite(q, w, t, compareAndSwap), nil
}

// rewrite writes a node that stays the same node.
func (s *store) rewrite(q *request, w *way, t term, a action) *plan {
	p := w.onTheWay()
	p.compare = append(p.compare, modified(keyOf(q.path), w.leaf.modified))
	r := record{dir: w.leaf.dir, action: a, refresh: q.refresh, created: w.leaf.createdAt(), value: q.value}
	if q.refresh {
		r.value = w.leaf.value
	}
	return s.write(p, q.path, r, t, w.leaf)
}

// compare is why a node is not as a request says, nil if it is.
func (w *way) compare(q *request) *Error {
	if q.path == root {
		return fail(codeNotFile, "", w.revision)
	}
	if err := w.absent(q.path); err != nil {
		return err
	}
	if w.leaf.dir {
		return fail(codeNotFile, q.path, w.revision)
	}
	value := fmt.Sprintf("[%v != %v]", q.prevValue, w.leaf.value)
	index := fmt.Sprintf("[%v != %v]", q.prevIndex, w.leaf.modified)
	sameValue := q.prevValue == "" || q.prevValue == w.leaf.value
	sameIndex := q.prevIndex == 0 || q.prevIndex == w.leaf.modified
	switch {
	case sameValue && sameIndex:
		return nil
	case sameValue:
		return fail(codeCompareFailed, index, w.revision)
	case sameIndex:
		return fail(codeCompareFailed, value, w.revision)
	}
	return fail(codeCompareFailed, value+" "+index, w.revision)
}

// compareAndDelete removes a file that must be as it is said.
func (s *store) compareAndDelete(q *request, w *way) (*plan, *Error) {
	if err := w.compare(q); err != nil {
		return nil, err
	}
	p := w.onTheWay()
	p.compare = append(p.compare, modified(keyOf(q.path), w.leaf.modified))
	return s.takeAway(p, q.path, w, compareAndDelete), nil
}

// remove takes away a file, an empty directory, or a directory with all that it has.
func (s *store) remove(q *request, w *way) (*plan, *Error) {
	if err := w.absent(q.path); err != nil {
		return nil, err
	}
	p, key := w.onTheWay(), keyOf(q.path)
	switch {
	case !w.leaf.dir:
		p.compare = append(p.compare, isFile(key))
	case !q.dir && !q.recursive:
		return nil, fail(codeNotFile, q.path, w.revision)
	case w.full:
		return nil, fail(codeNotEmpty, q.path, w.revision)
	default:
		p.compare = append(p.compare, created(key, w.leaf.incarned))
	}
	if w.leaf.dir && !q.recursive {
		past := noteOf(q.path)
		p.compare = append(p.compare, olderThan(key+"\x00", past, w.leaf.incarned),
			olderThan(past+"\x00", string(end(key)), w.leaf.incarned))
	}
	return s.takeAway(p, q.path, w, remove), nil
}

// takeAway adds the removal of a node to a plan, with all below it, and the answer that tells of it.
func (s *store) takeAway(p plan, path string, w *way, a action) *plan {
	key, at := keyOf(path), len(p.ops)
	p.ops = append(p.ops, del(&pb.DeleteRangeRequest{Key: []byte(key), PrevKv: true}))
	if w.leaf.dir {
		p.ops = append(p.ops, del(&pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: end(key)}))
	}
	p.note, p.replaced = noted(path, a), w.leaf.lease
	p.answer = func(resp *pb.TxnResponse) (*Event, error) {
		gone := resp.Responses[at].GetResponseDeleteRange().GetPrevKvs()
		if len(gone) != 1 {
			return nil, fmt.Errorf("the key %q was not there: %w", key, errRecord)
		}
		was, err := entryOf(path, gone[0])
		if err != nil {
			return nil, err
		}
		node := &Node{Key: path, Dir: was.dir, ModifiedIndex: uint64(resp.Header.Revision),
			CreatedIndex: uint64(was.createdAt())}
		return &Event{Action: a.String(), Node: node, PrevNode: was.node(s.now())}, nil
	}
	return &p
}

// Leases that nodes hang on have numbers of their own class, so that no other lease is ever revoked here.
const (
	leaseClass = 0x7632 << 48 // "v2"
	leaseBits  = 1<<48 - 1
)

// grant begins a lease for one node. It may be longer than asked for: a lease has a least time.
func (s *store) grant(ctx context.Context, who api.Identity, seconds int64) (term, error) {
	asked := s.now()
	resp, err := ask[pb.LeaseGrantResponse](ctx, s, who, &pb.LeaseGrantRequest{
		ID: leaseClass | rand.Int64N(leaseBits) + 1, TTL: max(seconds, 1)})
	if err != nil {
		return term{}, err
	}
	return term{resp.ID, asked.Add(time.Duration(resp.TTL) * time.Second).UnixNano()}, nil
}

// drop gives a lease back that was not used after all.
func (s *store) drop(t term, err error) error {
	s.release(t.lease)
	return err
}

// release revokes a lease that no node hangs on any more, later. If that fails it ends by itself.
func (s *store) release(lease int64) {
	if lease&^leaseBits != leaseClass {
		return
	}
	if s.untidy.Add(1) > limits.V2Untidy {
		s.untidy.Add(-1)
		return
	}
	s.tidy.Go(func() {
		defer s.untidy.Add(-1)
		_, _ = ask[pb.LeaseRevokeResponse](s.ctx, s, own, &pb.LeaseRevokeRequest{ID: lease})
	})
}
