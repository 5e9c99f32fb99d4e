package backend

func assert(cond bool, text string) {
	if !cond {
		panic(text)
	}
}
