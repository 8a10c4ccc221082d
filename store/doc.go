// Package store keeps what must survive kill -9: users with their accounts and the ways into them, who is whose friend and who has blocked
// whom, last partners and missed calls, invitations, the server's secrets, the rooms in which people talk, and the line of those who wait.
//
// Everything is in one bbolt file. Each operation is one transaction and is on the disk when it returns; a commit takes half a
// millisecond as a rule and 200 ms at worst, so no caller may hold a lock across one. The layout carries a schema version from the
// first day on, and each record a format version and a checksum of its own. A file of an older version is upgraded in one transaction,
// with a copy kept beside it; what is damaged or newer is refused and left as it is. Damage that leaves the shape of the file is told
// when the record is read, or by [DB.CheckContents].
//
// A [DB] may be used by any number of goroutines. It starts none.
package store
