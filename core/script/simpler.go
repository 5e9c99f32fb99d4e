package script

import "slices"

// What could stand in for a command, the plainest first: see Shrinker in package
// replay.

func simplerPut(c *Command) []Command { return []Command{{Cmd: Put, Key: c.Key, Value: c.Value}} }

func simplerGet(c *Command) []Command {
	return []Command{
		{Cmd: Get, Key: c.Key}, {Cmd: Get, Key: c.Key, Serializable: c.Serializable},
		{Cmd: Get, Key: c.Key, Rev: c.Rev}, {Cmd: Get, Key: c.Key, End: c.End, Rev: c.Rev},
	}
}

func simplerDelete(c *Command) []Command {
	return []Command{{Cmd: Delete, Key: c.Key}, {Cmd: Delete, Key: c.Key, End: c.End}}
}

func simplerWatch(c *Command) []Command {
	return []Command{{Cmd: Watch, Key: c.Key, End: c.End, Rev: c.Rev}}
}

// simplerStrike lists a crash at any step, a kill instead of a power loss, and the
// strike itself before an earlier step of that name or with nothing torn. Each is
// plainer than the one before it, so that a Shrinker comes to an end.
func simplerStrike(c *Command) (list []Command) {
	strike := func(value string, rev int64, torn int) {
		if value != c.Value || rev < c.Rev || torn < c.Torn {
			list = append(list, Command{Cmd: Strike, Name: c.Name, Value: value, Rev: rev, Torn: torn})
		}
	}
	switch StrikeNamed(c.Value) {
	case PowerFails:
		list = append(list, Command{Cmd: Crash})
		strike(ProcessDies.String(), 0, 0)
		strike(ProcessDies.String(), c.Rev, 0)
	case ProcessDies:
		list = append(list, Command{Cmd: Crash, Keep: true})
	}
	strike(c.Value, 0, 0)
	strike(c.Value, 0, c.Torn)
	strike(c.Value, c.Rev, 0)
	strike(c.Value, c.Rev/2, c.Torn)
	return list
}

// simplerTxn lists what could stand in for a transaction: one of its operations,
// one of its branches, and itself with one thing less or with one operation
// plainer or, where that is a transaction, opened.
func simplerTxn(c *Command) (list []Command) {
	list = append(slices.Concat(c.Then, c.Else),
		Command{Cmd: Txn, Then: c.Then}, Command{Cmd: Txn, If: c.If, Then: c.Then}, Command{Cmd: Txn, Then: c.Else})
	for i := range c.If {
		d := *c
		d.If = slices.Delete(slices.Clone(c.If), i, i+1)
		list = append(list, d)
	}
	edit := func(ops []Command, with func(d *Command, ops []Command)) {
		for i, op := range ops {
			replaced := [][]Command{nil}
			if op.Cmd == Txn {
				replaced = append(replaced, op.Then, op.Else)
			}
			for _, s := range op.Simpler() {
				replaced = append(replaced, []Command{s})
			}
			for _, r := range replaced {
				d := *c
				with(&d, slices.Replace(slices.Clone(ops), i, i+1, r...))
				list = append(list, d)
			}
		}
	}
	edit(c.Then, func(d *Command, ops []Command) { d.Then = ops })
	edit(c.Else, func(d *Command, ops []Command) { d.Else = ops })
	return list
}
