// Package membership is who belongs to a cluster: members by id with their URLs, which of them vote, which ids are gone
// for good, and the versions the cluster has agreed on.
//
// There is one source of all this: the conf changes and cluster requests that were applied, in log order. Members is
// the fold of them, kept in the buckets members, members_removed and cluster exactly as etcd 3.7 writes them; nothing
// else may change it. The rules are checked when a change is applied, not only when it is proposed, because two
// proposals that are fine alone may be wrong one after the other. A change that is refused has no effect on any member.
//
// A member's id is derived from its peer URLs, the cluster's from the ids of its first members, so that members that
// start with the same flags agree on them without talking:
//
//	id := membership.MemberID([]string{"http://10.0.0.1:2380"}, "etcd-cluster", nil)
//	ms := membership.New(1)
//	err := ms.Apply(&raftpb.ConfChange{NodeId: &id, Context: m.Context(false)}, batch)
//
// A *Member is immutable once it is in Members; a change replaces it. So Clone is cheap and its result may be read
// anywhere.
package membership
