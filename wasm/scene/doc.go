// Package scene decides what the stage shows: what stands where, in which
// colour and shape, and what a pointer at some place touches. It turns a
// picture of the simulated world (picture.State) into triangles over one texture
// atlas, and knows neither a browser nor a graphics library, so that ordinary
// tests cover it. Package bridge hands the triangles to ebiten.
//
// The visual language: hue is the raft term (with its number printed), shape is
// the role or the message type, the edge of a log cell is its durability, and
// orange is a fault that somebody made. Red is left for one thing: a broken
// invariant.
//
//	s := scene.New(scene.Dark)
//	s.Resize(800, 700, 5, 4, false) // CSS pixels, members, clients
//	s.Atlas = atlas          // rasterised by the browser
//	batch := s.Draw(&scene.View{State: &state, Now: now})
package scene
