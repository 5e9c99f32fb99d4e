package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"vitrine/core/auth"
	"vitrine/core/backend"
	"vitrine/core/lease"
	"vitrine/core/membership"
	"vitrine/core/mvcc"
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
)

// ErrNotSupported is wrapped by errors that name what a database or a log asks for and this build cannot do. A member
// that meets it stops, or does not start: whoever skips what was committed has another state than the others.
var ErrNotSupported = errors.New("not supported by this build")

// The versions of etcd whose data this build knows.
var (
	oldest  = membership.Version{Major: 3, Minor: 5}
	version = membership.Version{Major: 3, Minor: 7}
)

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%s %w", fmt.Sprintf(format, args...), ErrNotSupported)
}

// Decode reads the request in an entry of the log. Fields that are not known here are kept and have no effect, as in
// etcd 3.7: what a later version adds counts from its cluster version on, which stops this build (see capable).
func Decode(data []byte) (*pb.InternalRaftRequest, error) {
	req := new(pb.InternalRaftRequest)
	return req, pb.Unmarshal(data, req)
}

// CheckData tells why a member could not apply an entry with these data, nil if it can. What it refuses must not be
// proposed: once committed, it stops every member of this build.
func CheckData(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	req, err := Decode(data)
	if err != nil {
		return err
	}
	return capable(req)
}

// CheckLog looks at the entries of a log behind the applied index and up to the commit index, which the member is about
// to apply, and says which is the first that it cannot.
func CheckLog(entries []*raftpb.Entry, applied, commit uint64) error {
	for _, e := range entries {
		if e.GetIndex() <= applied || e.GetIndex() > commit || e.GetType() != raftpb.EntryNormal {
			continue
		}
		if err := CheckData(e.Data); err != nil {
			return badEntry(e.GetIndex(), err)
		}
	}
	return nil
}

func badEntry(index uint64, err error) error { return fmt.Errorf("%w %d: %w", ErrBadEntry, index, err) }

// capable tells why a request cannot be applied here.
func capable(req *pb.InternalRaftRequest) error {
	switch {
	case req.ClusterVersionSet != nil:
		return knownVersion("cluster version", req.ClusterVersionSet.Ver)
	case req.Put != nil, req.Txn != nil, req.DeleteRange != nil, req.Range != nil, req.Compaction != nil, req.Alarm != nil,
		req.LeaseGrant != nil, req.LeaseRevoke != nil, req.LeaseCheckpoint != nil:
		return nil
	case plainPassword(req):
		return unsupported("%s: a password that is not hashed, as before 3.5, is", kind(req))
	case kind(req) == "":
		return unknownRequest(req)
	}
	return nil
}

// unknownRequest says by its number what a later version, or one before 3.5, asks for.
func unknownRequest(req *pb.InternalRaftRequest) error {
	number, _, n := protowire.ConsumeTag(req.ProtoReflect().GetUnknown())
	if n < 0 {
		return fmt.Errorf("%w: it asks for nothing", ErrUnknownRequest)
	}
	return fmt.Errorf("%w: field %d", ErrUnknownRequest, number)
}

// knownVersion refuses versions newer than this build, as etcd does. One that cannot be read changes nothing.
func knownVersion(what, text string) error {
	if v, err := membership.ParseVersion(text); err == nil && v.ToMinor().Compare(version) > 0 {
		return unsupported("%s %s, above %d.%d, is", what, text, version.Major, version.Minor)
	}
	return nil
}

// plainPassword: to hash it takes a salt, which is not in the entry.
func plainPassword(req *pb.InternalRaftRequest) bool {
	add, change := req.AuthUserAdd, req.AuthUserChangePassword
	return add.GetPassword() != "" && add.HashedPassword == "" && !add.GetOptions().GetNoPassword() ||
		change.GetPassword() != "" && change.HashedPassword == ""
}

// kind is the name of what a request asks for, "" if it asks for nothing.
func kind(req *pb.InternalRaftRequest) string {
	m := req.ProtoReflect()
	for i, all := 0, m.Descriptor().Fields(); i < all.Len(); i++ {
		if f := all.Get(i); f.Message() != nil && f.Name() != "header" && m.Has(f) {
			return string(f.Name())
		}
	}
	return ""
}

// check tells what in a database this build cannot do, by name: nil if there is nothing.
func check(r membership.Reader, ms *membership.Members) error {
	if err := checkKeys(r); err != nil {
		return err
	}
	return checkVersions(r, ms)
}

// CheckImage tells why a database that a leader has sent must not become this member's, nil if it may: it must be one
// that Open accepts, and stand at index or behind it. It keeps nothing of it in memory and leaves it open.
func CheckImage(image backend.Store, index uint64) error {
	v, err := image.View()
	if err != nil {
		return fmt.Errorf("store: image: %w", err)
	}
	defer v.Close()
	at, err := backend.ReadApplied(v)
	if err != nil {
		return err
	}
	if at.Index < index {
		return fmt.Errorf("store: the image stands at %d instead of %d", at.Index, index)
	}
	r := imageReader{v}
	ms, err := membership.Load(r, 0)
	if err != nil {
		return err
	}
	if err := check(r, ms); err != nil {
		return err
	}
	if _, err := loadAlarms(r); err != nil {
		return err
	}
	if _, err := auth.Load(r); err != nil {
		return err
	}
	if err := lease.Check(r); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := mvcc.Check(r); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// imageReader is a view of a store as a reader of what is committed.
type imageReader struct{ backend.StoreView }

// Range stops at limit pairs, if that is not 0.
func (r imageReader) Range(b backend.Bucket, start, end []byte, limit int, fn func(k, v []byte) bool) {
	n := 0
	r.StoreView.Range(b, start, end, func(k, v []byte) bool {
		n++
		return fn(k, v) && n != limit
	})
}

// fixed are the buckets that have a fixed set of keys.
var fixed = [...]struct {
	bucket backend.Bucket
	keys   string
}{
	{backend.Meta, "confState consistent_index finishedCompactRev scheduledCompactRev storageVersion term"},
	{backend.Cluster, "clusterVersion downgrade"},
	{backend.Auth, "authEnabled authRevision"},
}

// checkKeys refuses what a newer version has added to them.
func checkKeys(r membership.Reader) (err error) {
	for _, f := range fixed {
		known := strings.Fields(f.keys)
		r.Range(f.bucket, nil, nil, 0, func(k, _ []byte) bool {
			if !slices.Contains(known, string(k)) {
				err = unsupported("store: key %q of bucket %s is", k, f.bucket)
			}
			return err == nil
		})
	}
	return err
}

// checkVersions refuses a database of a newer version than this one, or of one that had other buckets.
func checkVersions(r membership.Reader, ms *membership.Members) error {
	if v := ms.Version(); v != nil {
		if err := knownVersion("store: cluster version", v.String()); err != nil {
			return err
		}
	}
	text := r.Get(backend.Meta, []byte(keyStorageVersion))
	if text == nil { // set with the first cluster version of 3.6 or newer
		return nil
	}
	v, err := membership.ParseVersion(string(text))
	if err != nil {
		return fmt.Errorf("store: storage version: %w", err)
	}
	if v.ToMinor().Compare(oldest) < 0 {
		return unsupported("store: storage version %s, below %d.%d, is", text, oldest.Major, oldest.Minor)
	}
	return knownVersion("store: storage version", string(text))
}
