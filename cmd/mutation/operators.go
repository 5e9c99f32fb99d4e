package main

import (
	"fmt"
	"go/ast"
	"go/token"
)

// The names of the operators, as they stand in results and explanations.
const (
	opBoundary   = "boundary"   // a < b becomes a <= b, and so for <=, > and >=
	opNegate     = "negate"     // a comparison, or another condition, is turned round: branches are swapped
	opLogic      = "logic"      // a && b becomes a || b, and the other way round
	opOperand    = "operand"    // one side of && or || is left out
	opArithmetic = "arithmetic" // + - * / % & | become - + / * * | &
	opStep       = "step"       // ++ and += become -- and -=, and the other way round
	opConstant   = "constant"   // a number n becomes n + 1
	opTruth      = "truth"      // true becomes false, and the other way round
	opExtreme    = "extreme"    // min becomes max, and the other way round
	opSlice      = "slice"      // the lower bound of a slice becomes 0
	opDrop       = "drop"       // a statement is left out; of an if, its body
	opLoop       = "loop"       // the body of a loop never runs
	opResult     = "result"     // a returned error, number, string, pointer, slice or map is the zero value
)

// operator is a binary operator that a function of package toggle stands for.
type operator struct {
	name  string // of the operator of mutation
	call  string // the function
	after token.Token
}

var joins = map[token.Token]operator{
	token.LSS: {opBoundary, "Less", token.LEQ},
	token.LEQ: {opBoundary, "AtMost", token.LSS},
	token.GTR: {opBoundary, "Greater", token.GEQ},
	token.GEQ: {opBoundary, "AtLeast", token.GTR},
	token.ADD: {opArithmetic, "Add", token.SUB},
	token.SUB: {opArithmetic, "Sub", token.ADD},
	token.MUL: {opArithmetic, "Mul", token.QUO},
	token.QUO: {opArithmetic, "Div", token.MUL},
	token.REM: {opArithmetic, "Mod", token.MUL},
	token.AND: {opArithmetic, "And", token.OR},
	token.OR:  {opArithmetic, "Or", token.AND},
}

// negated are the comparisons and what they say when they are turned round.
var negated = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.GEQ, token.GEQ: token.LSS, token.GTR: token.LEQ, token.LEQ: token.GTR,
}

// binaryExpr mutates what joins two operands.
func (p *pass) binaryExpr(e *ast.BinaryExpr) {
	if p.constant(e) {
		return
	}
	switch e.Op {
	case token.LAND, token.LOR:
		p.logic(e)
		return
	}
	if after, ok := negated[e.Op]; ok {
		p.negate(e, p.text(e.X)+" "+after.String()+" "+p.text(e.Y))
	}
	op, ok := joins[e.Op]
	if !ok {
		return
	}
	t, ok := p.operandType(e, op.name)
	if !ok {
		return
	}
	n := p.add(e, op.name, fmt.Sprintf("%s => %s", p.text(e), op.after))
	p.wrap(e, fmt.Sprintf("µ.%s[%s](%d, ", op.call, t, n), ")")
	p.replace(e.OpPos, len(e.Op.String()), ",")
}

// logic mutates && and ||. By De Morgan's laws one expression serves for both
// operators without saying a or b twice:
//
//	((a != on) && (b != on)) != on
func (p *pass) logic(e *ast.BinaryExpr) {
	other := map[token.Token]token.Token{token.LAND: token.LOR, token.LOR: token.LAND}[e.Op]
	if planted(e) {
		return // a bug that is planted on purpose is off, and decides nothing
	}
	n := p.add(e, opLogic, fmt.Sprintf("%s => %s", p.text(e), other))
	on := fmt.Sprintf(") != µ.On(%d))", n)
	p.wrap(e, "((", on)
	for _, side := range []ast.Expr{e.X, e.Y} {
		p.wrap(side, "((", on)
		if inner, ok := ast.Unparen(side).(*ast.BinaryExpr); ok && inner.Op == e.Op && side == e.X {
			continue // a chain: its links are left out one by one
		}
		n := p.add(e, opOperand, fmt.Sprintf("%s, without %s", p.text(e), p.text(side)))
		if e.Op == token.LAND {
			p.wrap(side, "((", fmt.Sprintf(") || µ.On(%d))", n))
		} else {
			p.wrap(side, "((", fmt.Sprintf(") && !µ.On(%d))", n))
		}
	}
}

// negate turns a condition round.
func (p *pass) negate(e ast.Expr, after string) {
	if !p.isBool(e) {
		return
	}
	n := p.add(e, opNegate, fmt.Sprintf("%s => %s", p.text(e), after))
	p.wrap(e, "((", fmt.Sprintf(") != µ.On(%d))", n))
}

// condition mutates what an if, a for or a case of a switch without tag asks,
// as far as the expression itself does not (comparisons and logic do).
func (p *pass) condition(e ast.Expr) {
	if b, ok := ast.Unparen(e).(*ast.BinaryExpr); ok && (b.Op == token.LAND || b.Op == token.LOR || negated[b.Op] != 0) {
		return
	}
	p.negate(e, "!("+p.text(e)+")")
}

// never mutates a condition into one that is never met.
func (p *pass) never(e ast.Expr, what string) {
	n := p.add(e, opDrop, what+" "+p.text(e))
	p.wrap(e, "((", fmt.Sprintf(") && !µ.On(%d))", n))
}

// drop leaves a statement out.
func (p *pass) drop(s ast.Stmt) {
	n := p.add(s, opDrop, p.text(s))
	p.wrap(s, fmt.Sprintf("if !µ.On(%d) { ", n), " }")
}

// loop leaves a loop before its body has run.
func (p *pass) loop(s ast.Stmt, body *ast.BlockStmt) {
	if len(body.List) == 0 {
		return
	}
	n := p.add(s, opLoop, p.textUpTo(s, body.Lbrace))
	p.insert(body.Lbrace+1, fmt.Sprintf(" if µ.On(%d) { break }; ", n))
}

// step turns ++, --, += and -= round.
func (p *pass) step(s ast.Stmt, x ast.Expr, tok token.Token, value ast.Expr) {
	t, ok := p.integer(x)
	if !ok {
		return
	}
	n := p.add(s, opStep, p.text(s))
	if value != nil {
		p.wrap(value, fmt.Sprintf("µ.Step[%s](%d, ", t, n), ")")
		return
	}
	sign := "+="
	if tok == token.DEC {
		sign = "-="
	}
	p.replace(x.End(), len("++"), fmt.Sprintf(" %s µ.Step[%s](%d, 1)", sign, t, n))
}

// number mutates a literal.
func (p *pass) number(e ast.Expr, within ast.Node) {
	if t, ok := p.integer(e); ok {
		n := p.add(e, opConstant, fmt.Sprintf("%s + 1 in %s", p.text(e), p.text(within)))
		p.wrap(e, fmt.Sprintf("µ.Const[%s](%d, ", t, n), ")")
	}
}

// truth mutates true and false.
func (p *pass) truth(e *ast.Ident, within ast.Node) {
	if p.isBool(e) {
		n := p.add(e, opTruth, fmt.Sprintf("!%s in %s", e.Name, p.text(within)))
		p.wrap(e, "(", fmt.Sprintf(" != µ.On(%d))", n))
	}
}

// call mutates min and max of two.
func (p *pass) call(e *ast.CallExpr) {
	name, ok := e.Fun.(*ast.Ident)
	if !ok || len(e.Args) != 2 || p.constant(e) || !p.builtin(name) {
		return
	}
	call := map[string]string{"min": "Min", "max": "Max"}[name.Name]
	t, ok := p.ordered(e)
	if call == "" || !ok {
		return
	}
	n := p.add(e, opExtreme, p.text(e))
	p.replace(name.Pos(), len(name.Name), fmt.Sprintf("µ.%s[%s]", call, t))
	p.insert(e.Lparen+1, fmt.Sprintf("%d, ", n))
}

// slice mutates a lower bound.
func (p *pass) slice(e *ast.SliceExpr) {
	if e.Low == nil || p.constant(e.Low) {
		return
	}
	if t, ok := p.integer(e.Low); ok {
		n := p.add(e, opSlice, p.text(e))
		p.wrap(e.Low, fmt.Sprintf("µ.Value[%s](%d, ", t, n), ")")
	}
}

// results mutates what a function gives back.
func (p *pass) results(s *ast.ReturnStmt, want []string) {
	if len(s.Results) != len(want) {
		return // the results of another function, all at once
	}
	for i, e := range s.Results {
		if want[i] == "" || p.constant(e) || p.isNil(e) || p.emptyLiteral(e) {
			continue
		}
		n := p.add(s, opResult, fmt.Sprintf("%s, without %s", p.text(s), p.text(e)))
		p.wrap(e, fmt.Sprintf("µ.Value[%s](%d, ", want[i], n), ")")
	}
}
