// Package sfu relays media between the two peers that joined the same room.
package sfu
