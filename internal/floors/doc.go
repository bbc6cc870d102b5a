// Package floors holds the rules that the repository keeps about itself, as
// tests: which package may import which, what each module may require, how long
// a file and a function may be, and what a user's program links.
//
// The table of packages is in table_test.go; a new package needs a line there.
package floors
