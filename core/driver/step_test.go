package driver

import (
	"slices"
	"testing"

	"vitrine/core/vfs"
)

// TestSteps: each has a name of its own, by which it is found.
func TestSteps(t *testing.T) {
	all := Steps()
	if len(all) != StepCount-1 || all[0] != MakeDirs || all[len(all)-1] != LogCommit {
		t.Errorf("%d steps, from %s to %s", len(all), all[0], all[len(all)-1])
	}
	seen := map[string]bool{}
	for i, s := range all {
		if s != Step(i+1) || s.String() == "" || seen[s.String()] || StepNamed(s.String()) != s {
			t.Errorf("step %d: %s, named %v", i, s, StepNamed(s.String()))
		}
		seen[s.String()] = true
	}
	for _, name := range []string{"", "nothing"} {
		if StepNamed(name) != NoStep {
			t.Errorf("%q is %s", name, StepNamed(name))
		}
	}
	if Step(StepCount).String() != "" || Step(StepCount).Writes() || NoStep.Writes() {
		t.Error("there is a step beyond the last one")
	}
}

// TestKindsOfSteps: those of a member's first start, of any start, and those that are operations on a disk.
func TestKindsOfSteps(t *testing.T) {
	founding := []Step{MakeDirs, FoundLog, FoundSync, FoundRename, FoundDirSync}
	starting := []Step{SyncDirs, RemoveLeftover, SyncStore, OpenStore, StoreDirSync, OpenLog, RepairLog, LoadStore}
	moments := []Step{
		LoadStore, Release, Exchange, CommitBegin, CommitRun, CommitEnd, Housekeep, DefragExchange, ImageTake,
	}
	for _, s := range append(Steps(), NoStep) {
		if s.Founding() != slices.Contains(founding, s) {
			t.Errorf("%s: founding %v", s, s.Founding())
		}
		if s.Starting() != slices.Contains(starting, s) {
			t.Errorf("%s: starting %v", s, s.Starting())
		}
		if s != NoStep && s.Writes() == slices.Contains(moments, s) {
			t.Errorf("%s: writes %v", s, s.Writes())
		}
	}
}

// TestStepsWithin: what operations of the log and the database say of their steps.
func TestStepsWithin(t *testing.T) {
	l := At("data", "")
	segment, spare, next := l.WAL+"/0-0.wal", l.WAL+"/"+spareName, l.WAL+"/next.tmp"
	for _, c := range []struct {
		kind vfs.Kind
		path string
		want Step
	}{
		{vfs.OpSyncData, l.DB(), CommitSync},
		{vfs.OpSync, l.DB(), NoStep},
		{vfs.OpWrite, l.DB(), NoStep},
		{vfs.OpSyncDir, l.Snap, NoStep},
		{vfs.OpRemove, l.Snap + "/x.wal", NoStep},
		{vfs.OpTruncate, segment, SegmentEnd},
		{vfs.OpTruncate, next, NoStep},
		{vfs.OpCreate, next, SegmentCreate},
		{vfs.OpCreate, segment + ".broken", RepairLog},
		{vfs.OpCreate, segment, NoStep},
		{vfs.OpWrite, spare, SpareClean},
		{vfs.OpWrite, next, SegmentHead},
		{vfs.OpWrite, segment, NoStep},
		{vfs.OpSyncData, next, SegmentSync},
		{vfs.OpSync, next, SegmentSync},
		{vfs.OpSyncData, segment, NoStep},
		{vfs.OpRename, segment, SegmentRecycle},
		{vfs.OpRename, next, SegmentRename},
		{vfs.OpRemove, segment, SegmentRemove},
		{vfs.OpRemove, next, NoStep},
		{vfs.OpSyncDir, l.WAL, SegmentDirSync},
		{vfs.OpRead, segment, NoStep},
		// another database, which is none yet
		{vfs.OpSyncData, l.Image(7), NoStep},
		{vfs.OpSyncData, l.received(1), NoStep},
		{vfs.OpSyncData, l.copy(), NoStep},
		// what is beside the directories, not in them, with a name that begins as theirs do, or deeper down
		{vfs.OpSyncData, l.Snap + "-" + database, NoStep},
		{vfs.OpSyncData, l.Snap + "/old/" + database, NoStep},
		{vfs.OpTruncate, l.WAL + "-0-0.wal", NoStep},
		{vfs.OpCreate, l.founding() + "/next.tmp", NoStep},
		{vfs.OpTruncate, l.WAL + "/old/0-0.wal", NoStep},
	} {
		if got := l.within(vfs.Op{Kind: c.kind, Path: c.path}); got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.kind, c.path, got, c.want)
		}
	}
}
