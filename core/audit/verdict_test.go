package audit

import (
	"errors"
	"testing"
)

func said(member uint64, sum uint32, compact, newest int64) Answer {
	return Answer{Member: member, Hash: Hash{Sum: sum, Revision: 9, Compact: compact, Newest: newest}}
}

var silent = Answer{Member: 3, Err: errors.New("unreachable")}

func TestAtStart(t *testing.T) {
	own := Hash{Sum: 7, Revision: 9, Compact: 5, Newest: 9}
	all := []Answer{said(1, 7, 5, 9), said(2, 8, 5, 12), silent, said(4, 8, 6, 12), said(31, 9, 5, 9)}
	err := AtStart(200, own, true, all)
	if want := "c8 found data inconsistency with peers 2, 1f"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s: member 4 has another history, member 3 says nothing", err, want)
	}
	if err := AtStart(200, own, true, []Answer{said(1, 7, 5, 9), silent, said(4, 8, 6, 12)}); err != nil {
		t.Errorf("nobody differs: %v", err)
	}
	if err := AtStart(200, own, false, all); err != nil {
		t.Errorf("nothing lives, and a compaction would leave another sum: %v", err)
	}
}

func TestWhileLeading(t *testing.T) {
	own := Hash{Sum: 7, Revision: 9, Compact: 5, Newest: 9}
	later := Hash{Sum: 9, Revision: 12, Compact: 5, Newest: 12}
	compacted := Hash{Sum: 9, Revision: 12, Compact: 6, Newest: 12}
	for name, c := range map[string]struct {
		after   Hash
		answers []Answer
		want    uint64 // 0 = nobody
	}{
		"all agree":                       {later, []Answer{said(1, 7, 5, 9), said(2, 7, 5, 12), silent}, 0},
		"one differs":                     {later, []Answer{said(1, 7, 5, 9), said(2, 8, 5, 9)}, 2},
		"a compaction came between":       {compacted, []Answer{said(1, 7, 5, 9), said(2, 8, 5, 9)}, 0},
		"one has compacted less":          {later, []Answer{said(1, 8, 4, 9)}, 0},
		"one has compacted as the leader": {compacted, []Answer{said(1, 8, 6, 9)}, 0},
		"one has compacted more":          {compacted, []Answer{said(1, 7, 7, 9)}, 1},
		"one is ahead of the leader":      {later, []Answer{said(1, 7, 5, 13)}, 1},
		"the leader itself has changed":   {Hash{Sum: 8, Revision: 9, Compact: 5, Newest: 9}, nil, 100},
		"nobody else is there":            {later, nil, 0},
		"the others cannot be asked":      {later, []Answer{silent}, 0},
	} {
		got := WhileLeading(100, own, c.after, c.answers)
		switch {
		case got == nil && c.want != 0:
			t.Errorf("%s: nobody, want %d", name, c.want)
		case got != nil && got.Member != c.want:
			t.Errorf("%s: %+v, want %d", name, got, c.want)
		}
	}
}

func TestOfCompaction(t *testing.T) {
	own := Hash{Sum: 7, Revision: 9, Compact: 5}
	for name, c := range map[string]struct {
		answers []Answer
		want    []uint64
		all     bool
	}{
		"all agree":                {[]Answer{said(1, 7, 5, 0), said(2, 7, 5, 0)}, nil, true},
		"one says nothing":         {[]Answer{said(1, 7, 5, 0), silent}, nil, false},
		"one compacted otherwise":  {[]Answer{said(1, 7, 5, 0), said(2, 8, 4, 0)}, nil, false},
		"a minority differs":       {[]Answer{said(1, 7, 5, 0), said(2, 8, 5, 0)}, []uint64{2}, true},
		"the leader differs":       {[]Answer{said(1, 8, 5, 0), said(2, 8, 5, 0)}, []uint64{100}, true},
		"everybody differs":        {[]Answer{said(1, 8, 5, 0), said(2, 9, 5, 0)}, []uint64{0}, true},
		"two members, and they do": {[]Answer{said(1, 8, 5, 0)}, []uint64{0}, true},
		"two of five, each its own": {[]Answer{said(1, 7, 5, 0), said(2, 7, 5, 0), said(4, 8, 5, 0), said(5, 9, 5, 0)},
			[]uint64{4, 5}, true},
		"alone":                      {nil, nil, true},
		"no majority of all members": {[]Answer{said(1, 7, 5, 0), said(2, 8, 5, 0), silent, silent}, []uint64{0}, true},
	} {
		got, all := ofCompaction(100, own, c.answers)
		same := len(got) == len(c.want) && all == c.all
		for i := range got {
			same = same && got[i].Member == c.want[i]
		}
		if !same {
			t.Errorf("%s: %+v, all %t; want %v, all %t", name, got, all, c.want, c.all)
		}
	}
}

// TestCompactionsAreLookedAtFromTheNewest: one on which all agree vouches for those before, and is not looked at
// again; one about which somebody is silent vouches for nothing.
func TestCompactionsAreLookedAtFromTheNewest(t *testing.T) {
	kept := []Hash{{Sum: 7, Revision: 5}, {Sum: 7, Revision: 9, Compact: 5}}
	var c Compactions
	for _, look := range []struct {
		answers []Answer // of the others about the newest, then about the one before
		looked  int
		blamed  int
	}{
		{[]Answer{silent, silent}, 2, 0},
		{[]Answer{said(3, 8, 5, 9)}, 1, 1},
		{[]Answer{said(3, 7, 5, 9)}, 1, 0},
		{nil, 0, 0},
	} {
		c.Begin(kept)
		blamed := 0
		for own, ok := c.Next(); ok; own, ok = c.Next() {
			if own != kept[len(kept)-c.Looked] {
				t.Fatalf("the look goes to %+v", own)
			}
			culprits, _ := c.Judge(100, look.answers[c.Looked-1:c.Looked])
			blamed += len(culprits)
		}
		if c.Looked != look.looked || blamed != look.blamed {
			t.Errorf("%v: looked at %d and blamed %d", look.answers, c.Looked, blamed)
		}
	}
}
