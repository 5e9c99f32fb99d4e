// Package bridge connects the document with the world it shows. JavaScript
// sends commands as JSON and receives frames as JSON, so that the world could
// move to a worker without the document noticing; pointers come as events of
// their own, because ebiten asks for the mouse once a frame and misses what is
// shorter.
//
// The document leaves an object named vitrineHost in the global scope
// (web/js/main.js) with what the stage needs of it, and gets back, through its
// attach function, what it can call.
package bridge
