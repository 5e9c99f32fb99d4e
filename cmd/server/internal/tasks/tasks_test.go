package tasks

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaitOutlastsEveryTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		start := time.Now()
		for i := range 10 {
			if !g.Go(func() { time.Sleep(time.Duration(i) * time.Second) }) {
				t.Fatal("an open group refuses")
			}
		}
		if !g.Enter() {
			t.Fatal("an open group refuses")
		}
		go func() {
			defer g.Leave()
			time.Sleep(20 * time.Second)
		}()
		g.Close()
		if g.Enter() || g.Go(func() { t.Error("a task of a closed group runs") }) {
			t.Error("a closed group takes tasks")
		}
		g.Wait()
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("waited %v", took)
		}
	})
}

// Tasks that begin beside the stop either run and are waited for, or do not run.
func TestNothingBeginsAfterClose(t *testing.T) {
	for range 200 {
		var g Group
		var mu sync.Mutex
		open, wrong := true, 0
		var callers sync.WaitGroup
		for range 4 {
			callers.Go(func() {
				for g.Go(func() {
					mu.Lock()
					defer mu.Unlock()
					if !open {
						wrong++
					}
				}) {
				}
			})
		}
		g.Close()
		g.Wait()
		mu.Lock()
		open = false
		mu.Unlock()
		callers.Wait()
		if wrong > 0 {
			t.Fatalf("%d tasks ran after Wait", wrong)
		}
	}
}

func TestPoolIsBoundedAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		p := NewPool(&g, 3)
		var mu sync.Mutex
		var order []int
		running, most := 0, 0
		for i := range 20 {
			p.Go(func() {
				mu.Lock()
				running++
				most = max(most, running)
				order = append(order, i)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				running--
				mu.Unlock()
			})
			time.Sleep(100 * time.Millisecond) // so that no two tasks begin in one moment, in whatever order
		}
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if most != 3 || len(order) != 20 {
			t.Errorf("%d at a time, %d in all; want 3 and 20", most, len(order))
		}
		for i := range order {
			if order[i] != i {
				t.Fatalf("order %v", order)
			}
		}
	})
}

func TestPoolDropsWhatWaitsAtTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		p := NewPool(&g, 1)
		ran := 0
		for range 5 {
			p.Go(func() {
				time.Sleep(time.Second)
				ran++
			})
		}
		synctest.Wait()
		g.Close()
		p.Go(func() { t.Error("a task of a closed pool runs") })
		g.Wait()
		if ran != 1 {
			t.Errorf("%d tasks ran, want the one that had begun", ran)
		}
	})
}
