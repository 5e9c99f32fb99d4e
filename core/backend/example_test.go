package backend_test

import (
	"fmt"

	"vitrine/core/backend"
)

func Example() {
	b, err := backend.New(backend.NewMem())
	if err != nil {
		panic(err)
	}
	batch := backend.NewBatch()
	batch.Reset(backend.Applied{Index: 7, Term: 2})
	batch.Put(backend.Lease, []byte("a"), []byte("1"))
	b.Write(batch)

	view := b.View() // stays as it is
	defer view.Close()
	batch.Reset(backend.Applied{Index: 8, Term: 2})
	batch.Delete(backend.Lease, []byte("a"))
	b.Write(batch)

	fmt.Printf("now %q, in the view %q\n", b.Get(backend.Lease, []byte("a")), view.Get(backend.Lease, []byte("a")))
	fmt.Println("applied", b.Applied().Index, "durable", b.Durable().Index)
	c := b.BeginCommit()
	b.EndCommit(c, c.Run())
	fmt.Println("durable", b.Durable().Index)
	// Output:
	// now "", in the view "1"
	// applied 8 durable 0
	// durable 8
}
