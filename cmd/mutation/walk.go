package main

import (
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// pass is the way through one file.
type pass struct {
	*loaded
	file  *ast.File
	next  uint32
	found []*mutant
	edits []edit
	depth map[ast.Node]int

	function string // that is being walked
	source   string // its hash
}

func newPass(l *loaded, f *ast.File, next uint32) *pass {
	return &pass{loaded: l, file: f, next: next, depth: map[ast.Node]int{}}
}

// walk goes through the functions of the file.
func (p *pass) walk() {
	for _, decl := range p.file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil || p.exemptFunction(f) {
			continue
		}
		p.function = f.Name.Name
		if f.Recv != nil {
			p.function = strings.TrimLeft(p.text(f.Recv.List[0].Type), "*") + "." + f.Name.Name
		}
		p.source = fmt.Sprintf("%x", sha256.Sum256([]byte(p.text(f))))[:16]
		ast.PreorderStack(f, nil, func(n ast.Node, stack []ast.Node) bool {
			p.depth[n] = len(stack)
			if p.exempt(n, stack) {
				return false
			}
			for child := range children(n) {
				p.depth[child] = len(stack) + 1
			}
			p.visit(n, stack)
			return true
		})
	}
}

// children are the nodes right below n.
func children(n ast.Node) func(func(ast.Node) bool) {
	return func(yield func(ast.Node) bool) {
		ast.Inspect(n, func(c ast.Node) bool {
			if c == nil || c == n {
				return c == n
			}
			yield(c)
			return false
		})
	}
}

func (p *pass) visit(n ast.Node, stack []ast.Node) {
	if s, ok := n.(ast.Stmt); ok {
		p.statement(s, stack)
		return
	}
	switch e := n.(type) {
	case *ast.BinaryExpr:
		p.binaryExpr(e)
	case *ast.CallExpr:
		p.call(e)
	case *ast.SliceExpr:
		p.slice(e)
	case *ast.BasicLit:
		if e.Kind == token.INT && p.variable(e, stack) {
			p.number(e, surroundings(stack))
		}
	case *ast.Ident:
		if (e.Name == "true" || e.Name == "false") && p.builtin(e) && p.variable(e, stack) {
			p.truth(e, surroundings(stack))
		}
	}
}

func (p *pass) statement(s ast.Stmt, stack []ast.Node) {
	if inList(s, stack) && p.droppable(s, stack) {
		p.drop(s)
	}
	switch s := s.(type) {
	case *ast.IfStmt:
		if onlyPlanted(s.Cond) {
			return
		}
		if s.Else == nil {
			p.never(s.Cond, "if")
		}
		p.condition(s.Cond)
	case *ast.ForStmt:
		if s.Cond != nil {
			p.loop(s, s.Body)
			p.condition(s.Cond)
		}
	case *ast.RangeStmt:
		p.loop(s, s.Body)
	case *ast.CaseClause:
		if tagless(stack) {
			for _, e := range s.List {
				p.never(e, "case")
				p.condition(e)
			}
		}
	case *ast.IncDecStmt:
		p.step(s, s.X, s.Tok, nil)
	case *ast.AssignStmt:
		if s.Tok == token.ADD_ASSIGN || s.Tok == token.SUB_ASSIGN {
			p.step(s, s.Lhs[0], s.Tok, s.Rhs[0])
		}
	case *ast.ReturnStmt:
		p.results(s, p.resultTypes(stack))
	}
}

// tagless: the clause belongs to a switch whose cases are conditions.
func tagless(stack []ast.Node) bool {
	if len(stack) < 2 {
		return false
	}
	s, ok := stack[len(stack)-2].(*ast.SwitchStmt)
	return ok && s.Tag == nil
}

// inList: the statement stands among others, where a block may take its place.
func inList(s ast.Stmt, stack []ast.Node) bool {
	var list []ast.Stmt
	switch b := stack[len(stack)-1].(type) {
	case *ast.BlockStmt:
		list = b.List
	case *ast.CaseClause:
		list = b.Body
	}
	for _, other := range list {
		if other == s {
			return true
		}
	}
	return false
}

// droppable: the program compiles without the statement, and it is not left out
// by another operator already.
func (p *pass) droppable(s ast.Stmt, stack []ast.Node) bool {
	switch s := s.(type) {
	case *ast.ExprStmt, *ast.IncDecStmt, *ast.DeferStmt:
		return true
	case *ast.AssignStmt:
		return s.Tok != token.DEFINE
	case *ast.BranchStmt:
		return s.Label == nil && (s.Tok == token.BREAK || s.Tok == token.CONTINUE)
	case *ast.ReturnStmt:
		return len(s.Results) == 0 && len(p.resultTypes(stack)) == 0
	}
	return false
}

// surroundings is what is shown around a literal: the nearest node that is a
// statement or a call.
func surroundings(stack []ast.Node) ast.Node {
	for i := len(stack) - 1; i >= 0; i-- {
		switch n := stack[i].(type) {
		case *ast.CaseClause:
			return stack[i+1]
		case *ast.IfStmt:
			return n.Cond
		case *ast.CallExpr, *ast.AssignStmt, *ast.ReturnStmt, *ast.IncDecStmt, *ast.BinaryExpr, *ast.KeyValueExpr,
			*ast.ValueSpec:
			return n
		}
	}
	return stack[len(stack)-1]
}

// variable: in the place of the constant a variable may stand, and the constant
// is not a part of a larger one (n<<20, 5*time.Second), whose next neighbour says nothing.
func (p *pass) variable(e ast.Expr, stack []ast.Node) bool {
	if v := p.info.Types[e].Value; v == nil {
		return false
	}
	switch parent := stack[len(stack)-1].(type) {
	case *ast.ReturnStmt:
		last := parent.Results[len(parent.Results)-1]
		if e != last && p.isError(last) && !p.isNil(last) {
			return false // nobody reads what comes with an error
		}
	case *ast.ArrayType, *ast.CaseClause:
		return false
	case *ast.KeyValueExpr:
		if parent.Key == e {
			return false
		}
	case ast.Expr:
		if p.constant(parent) {
			return false
		}
	}
	for _, n := range stack {
		if g, ok := n.(*ast.GenDecl); ok && g.Tok == token.CONST {
			return false
		}
	}
	return true
}

// add notes a mutant and gives it its number.
func (p *pass) add(n ast.Node, operator, change string) uint32 {
	at := p.fset.Position(n.Pos())
	p.found = append(p.found, &mutant{
		Number: p.next, Package: p.name, Function: p.function, Operator: operator, Change: change,
		File: at.Filename, Line: at.Line, Source: p.source,
	})
	p.next++
	return p.next - 1
}

func (p *pass) offset(at token.Pos) int { return p.fset.Position(at).Offset }

// text is the source of a node on one line.
func (p *pass) text(n ast.Node) string { return p.textUpTo(n, n.End()) }

func (p *pass) textUpTo(n ast.Node, end token.Pos) string {
	return strings.Join(strings.Fields(string(p.src[p.file][p.offset(n.Pos()):p.offset(end)])), " ")
}

func (p *pass) constant(e ast.Expr) bool { return p.info.Types[e].Value != nil }

func (p *pass) isNil(e ast.Expr) bool { return p.info.Types[e].IsNil() }

func (p *pass) isError(e ast.Expr) bool {
	t := p.info.Types[e].Type
	return t != nil && types.Implements(t, types.Universe.Lookup("error").Type().Underlying().(*types.Interface))
}

// emptyLiteral: T{} is the zero value already.
func (p *pass) emptyLiteral(e ast.Expr) bool {
	c, ok := e.(*ast.CompositeLit)
	return ok && len(c.Elts) == 0
}

func (p *pass) builtin(name *ast.Ident) bool {
	o := p.info.Uses[name]
	return o != nil && o.Parent() == types.Universe
}

func (p *pass) isBool(e ast.Expr) bool {
	t, ok := p.info.Types[e].Type.(*types.Basic)
	return ok && t.Info()&types.IsBoolean != 0
}

// typeName writes a type as this file can; false if it cannot.
func (p *pass) typeName(t types.Type) (string, bool) {
	ok := true
	name := types.TypeString(t, func(other *types.Package) string {
		if other == p.pkg {
			return ""
		}
		for _, i := range p.file.Imports {
			if strings.Trim(i.Path.Value, `"`) == other.Path() {
				if i.Name != nil {
					return i.Name.Name
				}
				return other.Name()
			}
		}
		ok = false
		return other.Name()
	})
	return name, ok
}

// operandType is the type that both sides of a binary expression have.
func (p *pass) operandType(e *ast.BinaryExpr, operator string) (string, bool) {
	x := e.X
	if p.constant(x) {
		x = e.Y
	}
	if operator == opBoundary {
		return p.ordered(x)
	}
	return p.integer(x)
}

func (p *pass) integer(e ast.Expr) (string, bool) { return p.basic(e, types.IsInteger) }
func (p *pass) ordered(e ast.Expr) (string, bool) { return p.basic(e, types.IsOrdered) }

func (p *pass) basic(e ast.Expr, want types.BasicInfo) (string, bool) {
	t := p.info.Types[e].Type
	if id, ok := e.(*ast.Ident); ok && t == nil {
		if o := p.info.Uses[id]; o != nil {
			t = o.Type()
		}
	}
	if t == nil {
		return "", false
	}
	b, ok := t.Underlying().(*types.Basic)
	if !ok || b.Info()&want == 0 || b.Info()&types.IsUntyped != 0 {
		return "", false
	}
	return p.typeName(t)
}

// resultTypes are the types of what the innermost function returns; "" for one
// that is not mutated.
func (p *pass) resultTypes(stack []ast.Node) []string {
	for i := len(stack) - 1; i >= 0; i-- {
		var t *ast.FuncType
		switch f := stack[i].(type) {
		case *ast.FuncLit:
			t = f.Type
		case *ast.FuncDecl:
			t = f.Type
		default:
			continue
		}
		var all []string
		if t.Results == nil {
			return nil
		}
		for _, field := range t.Results.List {
			name := p.zeroable(p.info.Types[field.Type].Type)
			for range max(1, len(field.Names)) {
				all = append(all, name)
			}
		}
		return all
	}
	return nil
}

// zeroable is the name of a type whose zero value stands for nothing found,
// nothing wrong, nothing there.
func (p *pass) zeroable(t types.Type) string {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if u.Info()&(types.IsNumeric|types.IsString) == 0 {
			return "" // truth and negate see to bool
		}
	case *types.Pointer, *types.Slice, *types.Map:
	case *types.Interface:
		if types.TypeString(t, nil) != "error" {
			return ""
		}
	default:
		return ""
	}
	name, ok := p.typeName(t)
	if !ok {
		return ""
	}
	return name
}
