package driver

import (
	"slices"
	"strings"

	"vitrine/core/vfs"
)

// Step is an operation after which a crash leaves something new.
type Step uint8

// The steps, in the order of a member's life. See Steps for what each one is.
const (
	NoStep Step = iota

	// A new disk.
	MakeDirs
	SyncDirs
	FoundLog
	FoundSync
	FoundRename
	FoundDirSync

	// A start.
	RemoveLeftover
	SyncStore
	OpenStore
	StoreDirSync
	OpenLog
	RepairLog
	LoadStore

	// A group of log writes.
	LogAppend
	LogSnapshot
	LogMark
	LogSync
	Release

	// A segment's end and the next one's beginning, and what is released.
	SegmentEnd
	SegmentCreate
	SegmentHead
	SegmentSync
	SegmentRename
	SegmentDirSync
	SegmentRemove
	SegmentRecycle
	SpareClean

	// A database that is received.
	ImageCreate
	ImageWrite
	ImageSync
	ImageCheck
	ImageRename
	ImageDirSync

	// A database that is installed.
	AdoptCheck
	AdoptRename
	AdoptDirSync
	Exchange
	DropImage

	// Commits and compaction.
	CommitBegin
	CommitRun
	CommitSync
	CommitEnd
	Housekeep

	// Defragmentation.
	DefragCopy
	DefragSync
	DefragRename
	DefragDirSync
	DefragOpen
	DefragExchange

	// Images that are sent.
	ImageTake

	// Between the record of a received snapshot and the state that commits it.
	LogCommit

	steps
)

// StepCount is one more than the number of the last step.
const StepCount = int(steps)

var stepNames = [steps]string{
	"", "make-dirs", "sync-dirs", "found-log", "found-sync", "found-rename", "found-dirsync",
	"remove-leftover", "sync-store", "open-store", "store-dirsync", "open-log", "repair-log", "load-store",
	"log-append", "log-snapshot", "log-mark", "log-sync", "release",
	"segment-end", "segment-create", "segment-head", "segment-sync", "segment-rename", "segment-dirsync",
	"segment-remove", "segment-recycle", "spare-clean",
	"image-create", "image-write", "image-sync", "image-check", "image-rename", "image-dirsync",
	"adopt-check", "adopt-rename", "adopt-dirsync", "exchange", "drop-image",
	"commit-begin", "commit-run", "commit-sync", "commit-end", "housekeep",
	"defrag-copy", "defrag-sync", "defrag-rename", "defrag-dirsync", "defrag-open", "defrag-exchange",
	"image-take", "log-commit",
}

// String is the name of a step, which replay files and commands keep.
func (s Step) String() string {
	if s < steps {
		return stepNames[s]
	}
	return ""
}

// StepNamed finds a step by its name, NoStep if there is none.
func StepNamed(name string) Step {
	if at := slices.Index(stepNames[1:], name); at >= 0 {
		return Step(at + 1)
	}
	return NoStep
}

// Steps lists all steps in order.
func Steps() []Step {
	all := make([]Step, 0, steps-1)
	for s := NoStep + 1; s < steps; s++ {
		all = append(all, s)
	}
	return all
}

// Founding tells whether a step belongs to the first start of a member only.
func (s Step) Founding() bool { return MakeDirs <= s && s <= FoundDirSync && s != SyncDirs }

// Starting tells whether a step belongs to a start of a member.
func (s Step) Starting() bool { return s == SyncDirs || RemoveLeftover <= s && s <= LoadStore }

// Writes tells whether a step is an operation on a file or a directory, which a
// disk can refuse. The others are moments between two of them.
func (s Step) Writes() bool {
	switch s {
	case NoStep, LoadStore, Release, Exchange, CommitBegin, CommitRun, CommitEnd, Housekeep, DefragExchange, ImageTake:
		return false
	}
	return s < steps
}

// within names what the log or the database itself is about to do: they have no
// hooks of their own, their operations tell.
func (l Layout) within(op vfs.Op) Step {
	if name, ok := op.In(l.Snap); ok && name == database && op.Kind == vfs.OpSyncData {
		return CommitSync
	}
	name, ok := op.In(l.WAL)
	if !ok {
		return NoStep
	}
	segment, aside := strings.HasSuffix(name, ".wal"), strings.HasSuffix(name, ".tmp")
	switch op.Kind {
	case vfs.OpTruncate:
		if segment {
			return SegmentEnd
		}
	case vfs.OpCreate:
		switch {
		case aside:
			return SegmentCreate
		case strings.HasSuffix(name, ".broken"):
			return RepairLog
		}
	case vfs.OpWrite:
		switch {
		case name == spareName:
			return SpareClean
		case aside:
			return SegmentHead
		}
	case vfs.OpSyncData, vfs.OpSync:
		if aside {
			return SegmentSync
		}
	case vfs.OpRename:
		if segment {
			return SegmentRecycle
		}
		return SegmentRename
	case vfs.OpRemove:
		if segment {
			return SegmentRemove
		}
	case vfs.OpSyncDir:
		return SegmentDirSync
	}
	return NoStep
}

// spareName is where package wal keeps a released segment for its next life.
const spareName = "spare.tmp"
