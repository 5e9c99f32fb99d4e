package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func syncDir(d *os.File) error { return d.Sync() }

func syncData(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// reserve asks for blocks up to size, so that a full disk is noticed here and
// not in the middle of a write.
func reserve(f *os.File, from, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, from, size-from)
		switch {
		case err == unix.EINTR:
			continue
		case errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS):
			return extend(f, size)
		}
		return os.NewSyscallError("fallocate", err)
	}
}

// lockFile takes an open file description lock, the kind that etcd takes, so
// that each of the two refuses a directory that the other one is using.
func lockFile(f *os.File) error {
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return ErrLocked
	}
	return os.NewSyscallError("fcntl", err)
}
