package backend

import "fmt"

// Bucket names one of etcd's ordered keyspaces.
type Bucket uint8

const (
	Key Bucket = iota // 17-byte revision, + 't' for a tombstone -> KeyValue
	Meta
	Lease
	Alarm
	Cluster
	Members
	MembersRemoved
	Auth
	AuthUsers
	AuthRoles

	buckets // their number
)

// Name is the bucket's name in etcd's database file.
func (b Bucket) Name() string {
	switch b {
	case Key:
		return "key"
	case Meta:
		return "meta"
	case Lease:
		return "lease"
	case Alarm:
		return "alarm"
	case Cluster:
		return "cluster"
	case Members:
		return "members"
	case MembersRemoved:
		return "members_removed"
	case Auth:
		return "auth"
	case AuthUsers:
		return "authUsers"
	case AuthRoles:
		return "authRoles"
	}
	return fmt.Sprintf("bucket-%d", uint8(b))
}

// String is Name.
func (b Bucket) String() string { return b.Name() }

// Buckets lists every bucket in a fixed order.
func Buckets() []Bucket {
	all := make([]Bucket, 0, buckets)
	for b := Key; b < buckets; b++ {
		all = append(all, b)
	}
	return all
}
