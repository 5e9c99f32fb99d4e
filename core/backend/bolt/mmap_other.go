//go:build !linux && !js

package bolt

// populate: no such flag here; pages are read when they are touched.
const populate = 0
