package script

import (
	"fmt"
	"strconv"
	"strings"

	"vitrine/core/pb"
)

// MaxMachines bounds the machines that a world can ever have: members that were removed do not come back.
const MaxMachines = 64

const machineURL, peerPort = "http://s", ":2380"

// MachineURL is where the peer port of a machine is.
func MachineURL(number uint64) string { return machineURL + strconv.FormatUint(number, 10) + peerPort }

// MachineAt finds the number of a machine by its URL, 0 if it is none.
func MachineAt(url string) uint64 {
	text, ok := strings.CutPrefix(url, machineURL)
	if !ok {
		return 0
	}
	text, _ = strings.CutSuffix(text, peerPort)
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n > MaxMachines {
		return 0
	}
	return n
}

func wantsMachine(c *Command) error {
	if c.ID < 1 || c.ID > MaxMachines {
		return fmt.Errorf("script: %s: which machine? id = %d, want 1 to %d", c.Cmd, c.ID, MaxMachines)
	}
	return nil
}

func addMemberOf(c *Command, _ int64) (any, error) {
	return &pb.MemberAddRequest{PeerURLs: []string{MachineURL(uint64(c.ID))}, IsLearner: c.Cmd == AddLearner},
		wantsMachine(c)
}

func promoteOf(c *Command, _ int64) (any, error) {
	return &pb.MemberPromoteRequest{ID: uint64(c.ID)}, wantsMachine(c)
}

func removeOf(c *Command, _ int64) (any, error) {
	return &pb.MemberRemoveRequest{ID: uint64(c.ID)}, wantsMachine(c)
}

// memberOf is Of for changes of members; false if the body is none.
func memberOf(body any) (Command, bool) {
	switch r := body.(type) {
	case *pb.MemberAddRequest:
		c := Command{Cmd: AddMember}
		if r.IsLearner {
			c.Cmd = AddLearner
		}
		if len(r.PeerURLs) > 0 {
			c.ID = int64(MachineAt(r.PeerURLs[0]))
		}
		return c, true
	case *pb.MemberPromoteRequest:
		return Command{Cmd: Promote, ID: int64(r.ID)}, true
	case *pb.MemberRemoveRequest:
		return Command{Cmd: Remove, ID: int64(r.ID)}, true
	}
	return Command{}, false
}
