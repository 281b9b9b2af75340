package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp/kb"
)

// element is something in a page as the accessibility tree has it: what people
// find by its role and name, whichever way they use a browser.
type element struct {
	tab         *tab
	node        cdp.BackendNodeID
	role, name  string
	description string
	value       string
	states      map[string]string // such as checked, disabled, focused
}

// all returns what has a role in a page and is not hidden, in the order of the
// document.
func (b *tab) all(role string) []*element {
	b.t.Helper()
	root, err := try(b, runtime.Evaluate, runtime.EvaluateParams{Expression: "document"})
	if err != nil || root.Result == nil {
		b.t.Fatalf("no document: %v", err)
	}
	got, err := try(b, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: root.Result.ObjectID, Role: role})
	if err != nil {
		return nil // the page is just being replaced by another
	}
	var found []*element
	for _, node := range got.Nodes {
		if node.Ignored {
			continue
		}
		e := &element{tab: b, node: node.BackendDOMNodeID, role: role, states: make(map[string]string)}
		e.name, e.description, e.value = text(node.Name), text(node.Description), text(node.Value)
		for _, property := range node.Properties {
			e.states[string(property.Name)] = text(property.Value)
		}
		found = append(found, e)
	}
	return found
}

// text returns the value of a property.
func text(value *accessibility.Value) string {
	if value == nil {
		return ""
	}
	var s string
	if json.Unmarshal(value.Value, &s) == nil {
		return s
	}
	return string(value.Value)
}

// find returns what has a role and a name, when it is there. A name that ends
// with an asterisk is the beginning of one.
func (b *tab) find(role, name string) *element {
	b.t.Helper()
	var found *element
	if !poll(waitTime, func() bool { found = b.look(role, name); return found != nil }) {
		b.t.Fatalf("no %s %q; there are:\n%s", role, name, b.outline())
	}
	return found
}

// look returns what has a role and a name, nil if it is not there now.
func (b *tab) look(role, name string) *element {
	b.t.Helper()
	for _, e := range b.all(role) {
		if prefix, ok := strings.CutSuffix(name, "*"); e.name == name || ok && strings.HasPrefix(e.name, prefix) {
			return e
		}
	}
	return nil
}

// gone waits until nothing has the role and name.
func (b *tab) gone(role, name string) {
	b.t.Helper()
	if !poll(waitTime, func() bool { return b.look(role, name) == nil }) {
		b.t.Fatalf("%s %q is still there:\n%s", role, name, b.outline())
	}
}

// outline lists what can be found in the page.
func (b *tab) outline() string {
	b.t.Helper()
	var lines strings.Builder
	for _, role := range []string{"heading", "button", "textbox", "switch", "radio", "link", "dialog", "alert", "status", "image"} {
		for _, e := range b.all(role) {
			fmt.Fprintf(&lines, "  %s %q %s\n", e.role, e.name, e.value)
		}
	}
	return lines.String() + "text: " + b.text()
}

// click scrolls to the middle of something and clicks or, on a phone, taps there.
func (b *tab) click(role, name string) {
	b.t.Helper()
	b.find(role, name).click()
}

func (e *element) click() {
	b := e.tab
	b.t.Helper()
	b.clicks++
	x, y := e.middle()
	if b.person.phone {
		for _, kind := range []input.DispatchTouchEventType{input.DispatchTouchEventTypeTouchStart, input.DispatchTouchEventTypeTouchEnd} {
			params := input.DispatchTouchEventParams{Type: kind, TouchPoints: []*input.TouchPoint{}}
			if kind == input.DispatchTouchEventTypeTouchStart {
				params.TouchPoints = append(params.TouchPoints, &input.TouchPoint{X: x, Y: y})
			}
			call(b, input.DispatchTouchEvent, params)
		}
		return
	}
	for _, kind := range []input.DispatchMouseEventType{
		input.DispatchMouseEventTypeMouseMoved, input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased,
	} {
		params := input.DispatchMouseEventParams{Type: kind, X: x, Y: y}
		if kind != input.DispatchMouseEventTypeMouseMoved {
			params.Button, params.ClickCount = input.MouseButtonLeft, 1
		}
		call(b, input.DispatchMouseEvent, params)
	}
}

// middle scrolls something into view and returns where its middle is. It fails
// the test when something else covers that.
func (e *element) middle() (x, y float64) {
	b := e.tab
	b.t.Helper()
	call(b, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: e.node})
	quads := call(b, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: e.node}).Quads
	if len(quads) == 0 {
		b.t.Fatalf("%s %q takes no room", e.role, e.name)
	}
	quad := quads[0]
	x, y = (quad[0]+quad[4])/2, (quad[1]+quad[5])/2
	covered := on[bool](e, `function(x, y) {
		let top = document.elementFromPoint(x, y)
		while (top?.shadowRoot) {
			const inner = top.shadowRoot.elementFromPoint(x, y)
			if (!inner || inner === top) break
			top = inner
		}
		const label = this.closest('label') ?? this
		return !(top && (label.contains(top) || top.contains(this)))
	}`, x, y)
	if covered {
		b.t.Fatalf("%s %q is covered at %.0f, %.0f", e.role, e.name, x, y)
	}
	return x, y
}

// on calls a JavaScript function on an element.
func on[T any](e *element, function string, args ...any) T {
	b := e.tab
	b.t.Helper()
	object := call(b, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: e.node}).Object
	arguments := make([]*runtime.CallArgument, 0, len(args))
	for _, arg := range args {
		value, err := json.Marshal(arg)
		if err != nil {
			b.t.Fatal(err)
		}
		arguments = append(arguments, &runtime.CallArgument{Value: value})
	}
	yes := true
	got := call(b, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		FunctionDeclaration: function, ObjectID: object.ObjectID, Arguments: arguments, ReturnByValue: &yes, AwaitPromise: &yes,
	})
	if got.ExceptionDetails != nil {
		b.t.Fatalf("%s", explain(got.ExceptionDetails))
	}
	var value T
	if len(got.Result.Value) > 0 {
		if err := json.Unmarshal(got.Result.Value, &value); err != nil {
			b.t.Fatal(err)
		}
	}
	return value
}

// fill puts a text into a field in place of what is there.
func (b *tab) fill(name, content string) {
	b.t.Helper()
	b.fields++
	e := b.find("textbox", name)
	call(b, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: e.node})
	call(b, dom.Focus, dom.FocusParams{BackendNodeID: e.node})
	on[any](e, "function() { this.select() }")
	call(b, input.InsertText, input.InsertTextParams{Text: content})
}

// press presses keys, each a character of package kb, with modifiers: 1 Alt, 2
// Ctrl, 8 Shift.
func (b *tab) press(keys string, modifiers ...int64) {
	b.t.Helper()
	for _, key := range keys {
		for _, event := range kb.Encode(key) {
			for _, modifier := range modifiers {
				event.Modifiers |= modifier
			}
			call(b, input.DispatchKeyEvent, *event)
		}
	}
}

// text returns what is written in the page, also within shadow trees.
func (b *tab) text() string {
	b.t.Helper()
	return eval[string](b, `(() => {
		const read = node => {
			if (node.nodeType === 3) return node.data
			if (node.nodeType === 1 && (/^(style|script|noscript)$/.test(node.localName) || getComputedStyle(node).display === 'none')) return ''
			if (node.localName === 'slot' && node.assignedNodes().length > 0) return node.assignedNodes().map(read).join(' ')
			return [...(node.shadowRoot ?? node).childNodes].map(read).join(' ')
		}
		return read(document.body).replace(/\s+/g, ' ')
	})()`)
}

// awaitText waits until something is written in the page.
func (b *tab) awaitText(wanted string) {
	b.t.Helper()
	b.awaitAny(wanted)
}

// awaitAny waits until one of several texts is written in the page.
func (b *tab) awaitAny(wanted ...string) {
	b.t.Helper()
	if !poll(waitTime, func() bool {
		text := b.text()
		return slices.ContainsFunc(wanted, func(one string) bool { return strings.Contains(text, one) })
	}) {
		b.t.Fatalf("%q is not in the page:\n%s", wanted, b.outline())
	}
}
