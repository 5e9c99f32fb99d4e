package bolt

import "syscall"

// populate reads the file ahead into memory when it is mapped.
const populate = syscall.MAP_POPULATE
