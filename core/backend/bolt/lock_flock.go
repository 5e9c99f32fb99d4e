//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package bolt

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockPause is the wait between two attempts to lock a file.
const lockPause = 50 * time.Millisecond

// lockFile takes the lock that bbolt takes as well; to take it twice by one open file is to have it once.
func lockFile(f *os.File, shared bool, timeout time.Duration) error {
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	for start := time.Now(); ; time.Sleep(lockPause) {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return err
		case timeout > 0 && time.Since(start) > timeout:
			return fmt.Errorf("%w (waited %v)", ErrLocked, timeout)
		}
	}
}
