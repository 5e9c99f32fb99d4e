package mutant

// table is what is known of each mutant, by its number. Nobody writes it.
var table = func() (all [count]Info) {
	for _, part := range [...][]Info{ofCluster, ofDisk, ofState, ofCalls, ofWatches, ofUsers} {
		for _, info := range part {
			all[info.ID] = info
		}
	}
	return all
}()
