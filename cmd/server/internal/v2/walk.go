package v2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/pb"
)

// errEnough ends a walk.
var errEnough = errors.New("enough")

// walk goes through what is in a directory.
type walk struct {
	dir      string
	born     int64 // the revision since which the directory exists; 0 for the root
	revision int64 // as of which
}

// step is a directory on the way to what a walk has come to.
type step struct {
	path string
	born int64
}

// walk visits the entries of a directory in the order of their keys, and those of an entry that is a directory if visit
// says so. What has no way to the root is passed over, and what needs not be seen is not read.
func (s *store) walk(ctx context.Context, who api.Identity, k walk, visit func(*entry) (deeper bool, err error)) error {
	from, to := []byte(keyOf(k.dir)+"\x00"), end(keyOf(k.dir))
	way := []step{{k.dir, k.born}}
	var skip []byte // all keys before it
	for limit := int64(limits.V2FirstPage); ; {
		resp, err := ask[pb.RangeResponse](ctx, s, who, &pb.RangeRequest{Key: from, RangeEnd: to, Limit: limit,
			Revision: k.revision, Serializable: true})
		if err != nil {
			return err
		}
		for _, kv := range resp.Kvs {
			p, ok := pathOf(kv.Key)
			if !ok || bytes.Compare(kv.Key, skip) < 0 {
				continue
			}
			for len(way) > 1 && !within(way[len(way)-1].path, p) {
				way = way[:len(way)-1]
			}
			if in := way[len(way)-1]; in.path != path.Dir(p) || kv.CreateRevision < in.born {
				continue
			}
			e, err := entryOf(p, kv)
			if err != nil {
				return err
			}
			deeper, err := visit(e)
			switch {
			case err != nil:
				return err
			case e.dir && deeper:
				way = append(way, step{p, kv.CreateRevision})
			default:
				skip = end(keyOf(p))
			}
		}
		if !resp.More {
			return nil
		}
		from = append(resp.Kvs[len(resp.Kvs)-1].Key, 0)
		if bytes.Compare(from, skip) < 0 {
			from = skip
		}
		limit = page(limit, resp.SizeVT())
	}
}

// page is how many keys the next page has, so that one has bytes of a certain number.
func page(limit int64, size int) int64 {
	if size < limits.V2PageBytes/2 {
		return min(2*limit, limits.V2Page)
	}
	return max(limit*limits.V2PageBytes/int64(size), 1)
}

// list is what a directory shows: its entries, and theirs if all is asked for, but for those that are hidden.
func (s *store) list(ctx context.Context, who api.Identity, k walk, recursive bool) ([]*Node, error) {
	top := &Node{Key: k.dir}
	dirs := map[string]*Node{k.dir: top}
	count, size := 0, 0
	err := s.walk(ctx, who, k, func(e *entry) (bool, error) {
		dir, name := split(e.path)
		if strings.HasPrefix(name, "_") {
			return false, nil
		}
		if count, size = count+1, size+len(e.path)+len(e.value); count > limits.V2ResultNodes || size > limits.V2ResultBytes {
			return false, fail(codeField, fmt.Sprintf("%s has more than %d nodes or %d bytes: ask for parts of it", k.dir,
				limits.V2ResultNodes, limits.V2ResultBytes), k.revision)
		}
		n := e.node(s.now())
		dirs[dir].Nodes = append(dirs[dir].Nodes, n)
		if recursive && e.dir {
			dirs[e.path] = n
		}
		return recursive, nil
	})
	for _, d := range dirs {
		slices.SortFunc(d.Nodes, func(a, b *Node) int { return strings.Compare(a.Key, b.Key) })
	}
	return top.Nodes, err
}

// read answers a request that reads.
func (s *store) read(ctx context.Context, who api.Identity, q *request) (*Event, error) {
	for {
		w, err := s.look(ctx, who, q.path, !q.quorum)
		if err != nil {
			return nil, err
		}
		if err := w.absent(q.path); err != nil {
			return nil, err
		}
		event := &Event{Action: "get", Node: &Node{Dir: true}, index: w.revision, term: w.term}
		k := walk{dir: q.path, revision: w.revision}
		if w.leaf != nil && q.path != root {
			event.Node, k.born = w.leaf.node(s.now()), w.leaf.incarned
		}
		if !event.Node.Dir {
			return event, nil
		}
		event.Node.Nodes, err = s.list(ctx, who, k, q.recursive)
		if compacted(err) && ctx.Err() == nil {
			continue // under the reader's feet
		}
		return event, err
	}
}
