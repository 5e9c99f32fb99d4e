package dice

import (
	"math"
	"testing"
	"time"
)

func TestDiceStreamsDiffer(t *testing.T) {
	seen := map[uint64]string{}
	for seed := range uint64(4) {
		for concern := uint64(1); concern < 5; concern++ {
			for instance := range uint64(4) {
				v := New(seed, concern, instance).Uint64()
				if was, twice := seen[v]; twice {
					t.Fatalf("seed %d concern %d instance %d starts as %s", seed, concern, instance, was)
				}
				seen[v] = "another"
			}
		}
	}
}

// TestDiceBits pins the streams: these values are part of every seed's
// meaning, and must be the same in the browser.
func TestDiceBits(t *testing.T) {
	d := New(1, Network, 0x102)
	got := []uint64{d.Uint64(), d.Uint64N(1000), uint64(d.Exp(time.Second)), uint64(d.Between(5, 50))}
	want := []uint64{1214250125291159138, 765, 2890579223, 22}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("draw %d = %d, want %d", i, got[i], want[i])
		}
	}
}

func TestExpHasItsMean(t *testing.T) {
	d := New(3, 1, 1)
	var sum, over float64
	const n = 200_000
	for range n {
		v := float64(d.Exp(time.Second)) / float64(time.Second)
		sum += v
		if v > 1 {
			over++
		}
		if v < 0 || v > 8 {
			t.Fatalf("drew %v means", v)
		}
	}
	if mean := sum / n; math.Abs(mean-1) > 0.02 {
		t.Errorf("mean = %v, want 1", mean)
	}
	if share := over / n; math.Abs(share-1/math.E) > 0.01 {
		t.Errorf("share above the mean = %v, want 1/e", share)
	}
}

func TestQuantilesAreLogarithms(t *testing.T) {
	for i := range 256 {
		want := -math.Log(1-float64(i)/256) * 65536
		if math.Abs(float64(quantiles[i])-want) > 0.51 {
			t.Errorf("quantile %d = %d, want %v", i, quantiles[i], want)
		}
	}
}
