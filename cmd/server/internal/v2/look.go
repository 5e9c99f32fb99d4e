package v2

import (
	"context"
	"errors"
	"fmt"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// way is what is on the way to a node, as of one revision.
type way struct {
	revision int64
	term     uint64
	dirs     []*entry // those that are there, from the top
	missing  []string // those that are not
	file     *entry   // stands where a directory must be; nil: nothing does
	leaf     *entry   // the node itself; nil: it is not there
	stale    *pb.KeyValue
	full     bool  // the node is a directory with entries, as far as somebody has looked
	taken    int64 // how many names in order have been found to be taken at this revision
}

// born is the revision since which the last directory on the way exists. What is older has not been in it.
func (w *way) born() int64 {
	if len(w.dirs) == 0 {
		return 0
	}
	return w.dirs[len(w.dirs)-1].incarned
}

// lookups reads the keys of all nodes on the way to a path, and its own.
func lookups(p string, serializable bool) (ops []*pb.RequestOp) {
	for _, at := range append(above(p), p) {
		ops = append(ops, get(&pb.RangeRequest{Key: []byte(keyOf(at)), Serializable: serializable}))
	}
	return ops
}

// look reads the way to a node.
func (s *store) look(ctx context.Context, who api.Identity, p string, serializable bool) (*way, error) {
	resp, err := ask[pb.TxnResponse](ctx, s, who, &pb.TxnRequest{Success: lookups(p, serializable)})
	if err != nil {
		return nil, err
	}
	return wayFrom(p, resp)
}

// wayFrom makes sense of what lookups have found.
func wayFrom(p string, resp *pb.TxnResponse) (*way, error) {
	w := &way{revision: resp.Header.Revision, term: resp.Header.RaftTerm}
	dirs := above(p)
	for i, at := range append(dirs, p) {
		var kv *pb.KeyValue
		if kvs := resp.Responses[i].GetResponseRange().GetKvs(); len(kvs) > 0 {
			kv = kvs[0]
		}
		if at == root {
			kv = nil // whatever is there: the root needs no key
		}
		open := len(w.missing) == 0 && w.file == nil // so far there is a way
		if kv != nil && (!open || kv.CreateRevision < w.born()) {
			if w.stale == nil {
				w.stale = kv
			}
			kv, open = nil, false
		}
		if kv == nil {
			if i < len(dirs) && w.file == nil {
				w.missing = append(w.missing, at)
			}
			continue
		}
		e, err := entryOf(at, kv)
		switch {
		case err != nil:
			return nil, err
		case i == len(dirs):
			w.leaf = e
		case e.dir:
			w.dirs = append(w.dirs, e)
		default:
			w.file = e
		}
	}
	return w, nil
}

// absent is why there is no node at a path, nil if there is one.
func (w *way) absent(p string) *Error {
	switch {
	case w.file != nil:
		return fail(codeNotDir, w.file.path, w.revision)
	case len(w.missing) > 0:
		return fail(codeNotFound, w.missing[0], w.revision)
	case w.leaf == nil && p != root:
		return fail(codeNotFound, p, w.revision)
	}
	return nil
}

// clear takes a node of before away whose key is in the way, with all below it. It stays out of sight for ever as long
// as nobody writes it, so that nothing else has to be compared.
func (s *store) clear(ctx context.Context, stale *pb.KeyValue) error {
	key := string(stale.Key)
	p, ok := pathOf(stale.Key)
	if !ok {
		return fmt.Errorf("the key %q: %w", key, errRecord)
	}
	_, err := ask[pb.TxnResponse](ctx, s, own, &pb.TxnRequest{
		Compare: []*pb.Compare{modified(key, stale.ModRevision)},
		Success: []*pb.RequestOp{del(&pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: end(key)}), noted(p, expire)},
	})
	return err
}

// own is who asks what is not for clients to ask.
var own = api.Identity{Own: true}

// ask makes one call.
func ask[T any](ctx context.Context, s *store, who api.Identity, body any) (*T, error) {
	resp, err := s.door.Ask(ctx, api.Call{Body: body, Identity: who})
	if err != nil {
		return nil, err
	}
	return resp.(*T), nil
}

// compacted tells whether history that was asked for is gone.
func compacted(err error) bool { return errors.Is(err, api.ErrCompacted) }

// The parts of transactions.

func get(r *pb.RangeRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
}

func put(r *pb.PutRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: r}}
}

func del(r *pb.DeleteRangeRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: r}}
}

// noted leaves a note about how a node was removed.
func noted(p string, a action) *pb.RequestOp {
	dir, name := split(p)
	return put(&pb.PutRequest{Key: []byte(noteOf(dir)), Value: note{a, name}.encode()})
}

func created(key string, at int64) *pb.Compare {
	return &pb.Compare{Key: []byte(key), Target: pb.Compare_CREATE, Result: pb.Compare_EQUAL,
		TargetUnion: &pb.Compare_CreateRevision{CreateRevision: at}}
}

func modified(key string, at int64) *pb.Compare {
	return &pb.Compare{Key: []byte(key), Target: pb.Compare_MOD, Result: pb.Compare_EQUAL,
		TargetUnion: &pb.Compare_ModRevision{ModRevision: at}}
}

// isFile compares the first byte of a record. It fails where there is none.
func isFile(key string) *pb.Compare {
	return &pb.Compare{Key: []byte(key), Target: pb.Compare_VALUE, Result: pb.Compare_LESS,
		TargetUnion: &pb.Compare_Value{Value: []byte{dirByte}}}
}

// olderThan holds if all keys of a range were created before a revision.
func olderThan(from, to string, revision int64) *pb.Compare {
	return &pb.Compare{Key: []byte(from), RangeEnd: []byte(to), Target: pb.Compare_CREATE, Result: pb.Compare_LESS,
		TargetUnion: &pb.Compare_CreateRevision{CreateRevision: revision}}
}

// unchangedSince holds if no key of a range was written after a revision.
func unchangedSince(from, to string, revision int64) *pb.Compare {
	return &pb.Compare{Key: []byte(from), RangeEnd: []byte(to), Target: pb.Compare_MOD, Result: pb.Compare_LESS,
		TargetUnion: &pb.Compare_ModRevision{ModRevision: revision + 1}}
}
