package sim

import "vitrine/core/sim/setup"

// What a world is built from, under the names by which its users know it.
type (
	Config  = setup.Config
	Network = setup.Network
	Disk    = setup.Disk
	Audits  = setup.Audits
	Logins  = setup.Logins
	Dials   = setup.Dials
	Turned  = setup.Turned
)

// MaxMembers bounds the size of a simulated cluster.
const MaxMembers = setup.MaxMembers

// DefaultConfig is a quick local network with etcd's default timing, three
// members and fifty operations a second.
func DefaultConfig() Config { return setup.Default() }

// Teaching is a network slow enough to follow by eye.
func Teaching() Network { return setup.Teaching() }

// Preset returns the network of that name: "lan" or "teaching".
func Preset(name string) (Network, error) { return setup.Preset(name) }
