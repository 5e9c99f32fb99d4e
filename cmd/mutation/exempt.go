package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// What is left out, because no answer depends on it. The package's doc comment
// has the same list in words.
var (
	// textMethods make texts for people.
	textMethods = []string{"String", "GoString", "Error", "Format"}
	// voices are packages whose calls are texts, traces and assertions.
	voices = []string{"fmt", "errors", module + "/core/trace", module + "/core/invariant"}
	// voiceNames are functions of the packages themselves that only trace: they
	// are called so, or begin with trace.
	voiceNames = []string{"emit", "panic"}
)

// exemptFunction: the whole function is left out.
func (p *pass) exemptFunction(f *ast.FuncDecl) bool {
	if voiceName(f.Name.Name) || f.Recv != nil && slices.Contains(textMethods, f.Name.Name) {
		return true
	}
	if f.Recv != nil && strings.TrimLeft(p.text(f.Recv.List[0].Type), "*") == "logger" {
		return true
	}
	if o := p.info.Defs[f.Name]; p.plantedOnly[o] || p.traceOnly[o] {
		return true
	}
	results := f.Type.Results
	if results == nil || len(results.List) != 1 {
		return false
	}
	t := p.info.Types[results.List[0].Type].Type
	return p.isTraceEvent(results.List[0].Type) || t.String() == "[]"+module+"/core/limits.Use"
}

// findPlanted finds the functions that are called from planted bugs alone, and
// from one another.
func (l *loaded) findPlanted() {
	for _, f := range l.files {
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && guarded(fn) {
				l.plantedOnly[l.info.Defs[fn.Name]] = true
			}
		}
	}
	for more := true; more; {
		more = false
		uses := map[types.Object]bool{} // of functions: whether all are planted
		for _, f := range l.files {
			p := &pass{loaded: l, file: f}
			ast.PreorderStack(f, nil, func(n ast.Node, stack []ast.Node) bool {
				id, ok := n.(*ast.Ident)
				if !ok {
					return true
				}
				if o, ok := l.info.Uses[id].(*types.Func); ok && o.Pkg() == l.pkg && !o.Exported() {
					all, seen := uses[o]
					uses[o] = (all || !seen) && p.inPlanted(stack)
				}
				return true
			})
		}
		for o, all := range uses {
			if all && !l.plantedOnly[o] {
				l.plantedOnly[o], more = true, true
			}
		}
	}
}

// findTraceOnly finds the functions that do nothing but tell the trace: they return
// nothing, assign to variables of their own, and call nothing else that could do anything.
func (l *loaded) findTraceOnly() {
	for _, f := range l.files {
		p := &pass{loaded: l, file: f}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil && fn.Type.Results == nil && p.onlyTraces(fn.Body) {
				l.traceOnly[l.info.Defs[fn.Name]] = true
			}
		}
	}
}

func (p *pass) onlyTraces(body *ast.BlockStmt) bool {
	traces, only := false, true
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if p.tracer(n) {
				traces = true
			} else if !p.harmless(n) {
				only = false
			}
		case *ast.AssignStmt:
			for _, x := range n.Lhs {
				_, local := x.(*ast.Ident)
				only = only && local
			}
		case *ast.IncDecStmt:
			_, local := n.X.(*ast.Ident)
			only = only && local
		case *ast.FuncLit, *ast.GoStmt, *ast.DeferStmt, *ast.SendStmt:
			only = false
		}
		return only
	})
	return traces && only
}

// tracer: the call is into core/trace.
func (p *pass) tracer(call *ast.CallExpr) bool {
	f, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return false
	}
	o := p.info.Uses[f.Sel]
	return o != nil && o.Pkg() != nil && o.Pkg().Path() == module+"/core/trace"
}

// harmless: a conversion, a builtin function, or a getter of a message.
func (p *pass) harmless(call *ast.CallExpr) bool {
	switch f := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		return p.info.Types[f].IsType() || p.builtin(f)
	case *ast.SelectorExpr:
		return p.info.Types[f].IsType() || strings.HasPrefix(f.Sel.Name, "Get")
	}
	return p.info.Types[call.Fun].IsType()
}

// guarded: the function returns at once unless a bug is planted.
func guarded(fn *ast.FuncDecl) bool {
	if fn.Body == nil || len(fn.Body.List) == 0 {
		return false
	}
	first, ok := fn.Body.List[0].(*ast.IfStmt)
	if !ok || len(first.Body.List) != 1 {
		return false
	}
	if _, returns := first.Body.List[0].(*ast.ReturnStmt); !returns {
		return false
	}
	cond := ast.Unparen(first.Cond)
	for {
		b, ok := cond.(*ast.BinaryExpr)
		if !ok || b.Op != token.LOR {
			break
		}
		cond = ast.Unparen(b.X)
	}
	not, ok := cond.(*ast.UnaryExpr)
	return ok && not.Op == token.NOT && planted(not.X) && !mixed(not.X)
}

// inPlanted: the innermost node of the stack is part of a bug that is planted.
func (p *pass) inPlanted(stack []ast.Node) bool {
	for i, n := range stack {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if p.plantedOnly[p.info.Defs[n.Name]] {
				return true
			}
		case *ast.IfStmt:
			if onlyPlanted(n.Cond) && i+1 < len(stack) && stack[i+1] != n.Init && stack[i+1] != n.Else {
				return true
			}
		case *ast.CaseClause:
			if slices.ContainsFunc(n.List, onlyPlanted) {
				return true
			}
		}
	}
	return false
}

func voiceName(name string) bool {
	return slices.Contains(voiceNames, name) || strings.HasPrefix(name, "trace")
}

func (p *pass) isTraceEvent(e ast.Expr) bool {
	t := p.info.Types[e].Type
	return t != nil && strings.TrimPrefix(t.String(), "*") == module+"/core/trace.Event"
}

// exempt: n and all below it are left out.
func (p *pass) exempt(n ast.Node, stack []ast.Node) bool {
	if e, ok := n.(ast.Expr); ok && p.info.Types[e].IsType() {
		return true
	}
	switch n := n.(type) {
	case *ast.FieldList:
		return true
	case *ast.CallExpr:
		return p.speaks(n) || p.isCapacity(n)
	case *ast.ExprStmt:
		call, ok := n.X.(*ast.CallExpr)
		return ok && p.speaks(call)
	case *ast.CompositeLit:
		return p.isTraceEvent(n)
	case *ast.BlockStmt:
		parent, ok := stack[len(stack)-1].(*ast.IfStmt)
		return ok && onlyPlanted(parent.Cond) && n == parent.Body
	case *ast.IfStmt:
		return onlyPlanted(n.Cond) && n.Else == nil || p.onlySpeaks(n.Body) && n.Else == nil
	case *ast.CaseClause:
		return slices.ContainsFunc(n.List, onlyPlanted)
	case ast.Expr:
		return p.capacityOf(n, stack) || onlyPlanted(n)
	}
	return false
}

// speaks: the call is to what tells people or checkers something.
func (p *pass) speaks(call *ast.CallExpr) bool {
	switch f := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		return voiceName(f.Name) || p.traceOnly[p.info.Uses[f]]
	case *ast.SelectorExpr:
		o := p.info.Uses[f.Sel]
		if o == nil || o.Pkg() == nil {
			return false
		}
		if o.Pkg().Path() == "errors" && f.Sel.Name != "New" {
			return false // Is, As and Join decide something
		}
		return slices.Contains(voices, o.Pkg().Path()) || p.traceOnly[o] || o.Pkg() == p.pkg && voiceName(f.Sel.Name)
	}
	return false
}

// onlySpeaks: the block does nothing else.
func (p *pass) onlySpeaks(b *ast.BlockStmt) bool {
	for _, s := range b.List {
		call, ok := s.(*ast.ExprStmt)
		if !ok {
			return false
		}
		if c, ok := call.X.(*ast.CallExpr); !ok || !p.speaks(c) {
			return false
		}
	}
	return true
}

// isCapacity: the call only makes room.
func (p *pass) isCapacity(call *ast.CallExpr) bool {
	f, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return false
	}
	o := p.info.Uses[f.Sel]
	return o != nil && o.Pkg() != nil && o.Pkg().Path() == "slices" && (f.Sel.Name == "Grow" || f.Sel.Name == "Clip")
}

// capacityOf: n is the capacity in a make.
func (p *pass) capacityOf(n ast.Expr, stack []ast.Node) bool {
	call, ok := stack[len(stack)-1].(*ast.CallExpr)
	if !ok {
		return false
	}
	name, ok := call.Fun.(*ast.Ident)
	if !ok || name.Name != "make" || !p.builtin(name) {
		return false
	}
	at := slices.Index(call.Args, n)
	_, isMap := p.info.Types[call.Args[0]].Type.Underlying().(*types.Map)
	return at == 2 || at == 1 && isMap
}

// planted: the expression asks for a bug that is planted on purpose. It is false
// without the build tag mutants, so nothing that hangs on it can be reached.
func planted(e ast.Expr) bool {
	found := false
	ast.Inspect(e, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "mutant" && s.Sel.Name == "On" {
				found = true
			}
		}
		return !found
	})
	return found
}

// onlyPlanted: the expression is false for as long as no bug is planted.
func onlyPlanted(e ast.Expr) bool { return planted(e) && !mixed(e) }

// mixed: it asks for something besides, which decides: a || mutant.On(b), or
// a && !mutant.On(b), but not mutant.On(a) || mutant.On(b).
func mixed(e ast.Expr) bool {
	if not, ok := ast.Unparen(e).(*ast.UnaryExpr); ok {
		return not.Op == token.NOT
	}
	b, ok := ast.Unparen(e).(*ast.BinaryExpr)
	if !ok {
		return false
	}
	switch b.Op.String() {
	case "||":
		return !onlyPlanted(b.X) || !onlyPlanted(b.Y)
	case "&&":
		for _, side := range []ast.Expr{b.X, b.Y} {
			if s := strings.TrimSpace(types.ExprString(side)); strings.HasPrefix(s, "mutant.On(") {
				return false // false whatever else it asks
			}
		}
		return true
	}
	return false
}
