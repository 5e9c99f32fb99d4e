// Package dice draws what is left to chance, from seeds: one stream for each
// concern, so that a change in one place does not reshuffle the others.
//
//	d := dice.New(seed, dice.Disk, member)
//	if d.Chance(0.1) { ... }
package dice

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// Dice is one stream of randomness for one concern. All its methods draw
// exactly one value, so that the number of draws of an event does not depend
// on what was drawn; and all compute with integers, or with floats in ways that
// give the same bits on every machine.
//
// Dice that are thrown at moments (see At) draw from the concern and the
// simulated time instead of from a sequence: what one message or one sync draws
// does not depend on how many came before it, so that a run from which a
// decision was removed goes on as before wherever the decision does not matter.
type Dice struct {
	src   rand.ChaCha8
	key   uint64
	clock *int64 // nil: a sequence
	last  int64  // moment of the last draw
	nth   uint64 // draws in that moment
}

// Streams by concern. The numbers are part of every seed's meaning.
const (
	Raft    = 1 // + member
	Network = 2 // + from<<8 | to
	Disk    = 3 // + member
	Client  = 4 // + client
	Fault   = 5 // + class
	Options = 6
	Process = 7 // + member
	Wire    = 8 // client network
	Secrets = 9 // + member
)

// New opens the stream of a concern and its instance under a seed.
func New(seed, concern, instance uint64) *Dice {
	var key [32]byte
	x := seed
	for i, salt := range []uint64{concern, instance, 0x76697472, 0x696e65} {
		x = Mix(x ^ Mix(salt+uint64(i)<<32))
		binary.LittleEndian.PutUint64(key[8*i:], x)
	}
	d := &Dice{key: Mix(x)}
	d.src.Seed(key)
	return d
}

// At makes the dice draw by the moment that the clock shows.
func (d *Dice) At(clock *int64) *Dice {
	d.clock = clock
	return d
}

// Mix is the finalizer of splitmix64.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Read serves raft, which asks for its election timeouts in bytes.
func (d *Dice) Read(p []byte) (int, error) { return d.src.Read(p) }

// Uint64 draws 64 bits.
func (d *Dice) Uint64() uint64 {
	if d.clock == nil {
		return d.src.Uint64()
	}
	if now := *d.clock; now != d.last {
		d.last, d.nth = now, 0
	}
	d.nth++
	return Mix(d.key ^ Mix(uint64(d.last)) + d.nth<<32)
}

// Uint64N draws from [0, n); n = 0 draws and gives 0. The bias of the modulus
// is below n / 2^64.
func (d *Dice) Uint64N(n uint64) uint64 {
	v := d.Uint64()
	if n == 0 {
		return 0
	}
	return v % n
}

// IntN draws from [0, n).
func (d *Dice) IntN(n int) int { return int(d.Uint64N(uint64(n))) }

// Chance is true with probability p.
func (d *Dice) Chance(p float64) bool {
	return float64(d.Uint64()>>11) < p*(1<<53)
}

// Between draws from [lo, hi].
func (d *Dice) Between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(d.Uint64N(uint64(hi-lo)+1))
}

// Exp draws from an exponential distribution, capped at eight times its mean.
func (d *Dice) Exp(mean time.Duration) time.Duration {
	u := d.Uint64()
	i, frac := u>>56, u>>40&0xffff
	lo, hi := quantiles[i], quantiles[i+1]
	q := lo + (hi-lo)*frac>>16 // in 1/65536 of the mean
	return time.Duration(uint64(mean)>>16*q + uint64(mean)&0xffff*q>>16)
}

// quantiles[i] is -ln(1 - i/256) in units of 1/65536; the last one is the cap.
var quantiles = func() (t [257]uint64) {
	for i := range 256 {
		t[i] = uint64(float64(65536*negLog(256-i)) + 0.5)
	}
	t[256] = 8 << 16
	return t
}()

// negLog is -ln(n/256) by a series that uses only operations with one correct
// result; math.Log may differ between machines in the last bit.
func negLog(n int) float64 {
	x, twos := float64(n)/256, 0
	for x < 0.5 {
		x, twos = x*2, twos+1
	}
	y := float64((1 - x) / (1 + x))
	sum, power := 0.0, y
	for k := 1; k < 60; k += 2 {
		sum = float64(sum + float64(power/float64(k)))
		power = float64(power * float64(y*y))
	}
	return float64(2*sum) + float64(float64(twos)*0.6931471805599453)
}
