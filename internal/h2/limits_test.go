package h2

import (
	"reflect"
	"testing"
)

func eachLimit(t *testing.T, l Limits, visit func(name string, n int64)) {
	t.Helper()
	v := reflect.ValueOf(l)
	for i := range v.NumField() {
		visit(v.Type().Field(i).Name, v.Field(i).Int())
	}
}

func setEachLimit(l *Limits, n int64) {
	v := reflect.ValueOf(l).Elem()
	for _, field := range v.Fields() {
		field.SetInt(n)
	}
}
