package scene

import "math"

// Route is the way of a client's requests to a member and of the answers back:
// a cubic curve that passes beside the members whom it does not concern.
type Route struct{ from, leave, arrive, to Point }

// at is the point at share f of the way.
func (r *Route) at(f float64) Point {
	g := 1 - f
	return r.from.scale(g * g * g).add(r.leave.scale(3 * g * g * f)).add(r.arrive.scale(3 * g * f * f)).add(
		r.to.scale(f * f * f))
}

// Where a route ends, and how far it keeps from others.
const (
	routeEnd  = 12 // before the edge of its member
	routeRoom = 24 // from the edge of any other

	captionRoom = 10 // from what is written below a member
)

// route chooses, among curves that leave the card straight and come to the
// member from different sides, the shortest with enough room.
func (l *Layout) route(client int, id uint64) Route {
	from, out := l.client(client), right
	if l.Phone {
		out = Point{0, 1}
	}
	member := l.Member(id)
	straight := member.sub(from)
	reach, aim := straight.len(), straight.unit()
	best, least := Route{}, math.Inf(1)
	for _, turn := range [...]float64{0, -0.4, 0.4, -0.8, 0.8, -1.25, 1.25, -1.7, 1.7} {
		sin, cos := math.Sincos(turn)
		side := Point{aim.X*cos - aim.Y*sin, aim.X*sin + aim.Y*cos}
		to := member.sub(side.scale(l.Radius + routeEnd))
		for _, pull := range [...]float64{0.3, 0.5, 0.75} {
			for _, push := range [...]float64{0.2, 0.4, 0.65} {
				r := Route{from, from.add(out.scale(reach * push)), to.sub(side.scale(reach * pull)), to}
				if cost := l.cost(&r, client, id); cost < least {
					best, least = r, cost
				}
			}
		}
	}
	return best
}

// cost is the length of a route, and much more where it touches what it should not.
func (l *Layout) cost(r *Route, client int, id uint64) float64 {
	const steps = 24
	cost, last := 0.0, r.from
	for i := 1; i <= steps; i++ {
		p := r.at(float64(i) / steps)
		cost += p.sub(last).len()
		last = p
		for j := range l.Count {
			if l.IDs[j] == id {
				continue
			}
			if near := l.Radius + routeRoom - l.Members[j].sub(p).len(); near > 0 {
				cost += 12 * near
				if near > routeRoom { // through it
					cost += 2000
				}
			}
		}
		for j := range l.Count { // words lie over requests: they would be hidden for a while
			if near := captionRoom - l.captionOf(j).near(p); near > 0 {
				cost += 4 * near
			}
		}
		for j, card := range l.Clients {
			if j != client && card.Contains(p) {
				cost += 150
			}
		}
		if p.X < 4 || p.X > l.W-4 || p.Y < 4 || p.Y > l.Stage.H-4 {
			cost += 300
		}
	}
	return cost
}
