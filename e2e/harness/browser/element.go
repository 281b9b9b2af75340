package browser

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// Element is a node of the accessibility tree. People find it by its role and name,
// with or without a screen reader.
type Element struct {
	tab         *Tab
	node        cdp.BackendNodeID
	Role, Name  string
	Description string
	Value       string
	States      map[string]string // such as checked, disabled, focused
}

// All returns the visible elements with a role, in the order of the document.
func (b *Tab) All(role string) []*Element {
	b.t.Helper()
	root, err := try(b, runtime.Evaluate, runtime.EvaluateParams{Expression: "document"})
	if err != nil || root.Result == nil {
		b.t.Fatalf("no document: %v", err)
	}
	tree, err := try(b, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: root.Result.ObjectID, Role: role})
	if err != nil {
		return nil // another page is about to replace this one
	}
	var found []*Element
	for _, node := range tree.Nodes {
		if node.Ignored {
			continue
		}
		e := &Element{tab: b, node: node.BackendDOMNodeID, Role: role, States: make(map[string]string)}
		e.Name, e.Description, e.Value = text(node.Name), text(node.Description), text(node.Value)
		for _, property := range node.Properties {
			e.States[string(property.Name)] = text(property.Value)
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

// Find waits for the element with a role and a name. A name that ends with an
// asterisk is a prefix.
func (b *Tab) Find(role, name string) *Element {
	b.t.Helper()
	var found *Element
	if !harness.Poll(harness.WaitTime, func() bool { found = b.Lookup(role, name); return found != nil }) {
		b.t.Fatalf("no %s %q; there are:\n%s", role, name, b.Outline())
	}
	return found
}

// Lookup returns the element with a role and a name, nil if there is none now.
func (b *Tab) Lookup(role, name string) *Element {
	b.t.Helper()
	for _, e := range b.All(role) {
		if e.isNamed(name) {
			return e
		}
	}
	return nil
}

func (e *Element) isNamed(name string) bool {
	prefix, ok := strings.CutSuffix(name, "*")
	return e.Name == name || ok && strings.HasPrefix(e.Name, prefix)
}

// AwaitGone waits until no element has the role and name.
func (b *Tab) AwaitGone(role, name string) {
	b.t.Helper()
	if !harness.Poll(harness.WaitTime, func() bool { return b.Lookup(role, name) == nil }) {
		b.t.Fatalf("%s %q is still there:\n%s", role, name, b.Outline())
	}
}

// Outline lists the elements of the page and its text.
func (b *Tab) Outline() string {
	b.t.Helper()
	var lines strings.Builder
	for _, role := range []string{"heading", "button", "textbox", "switch", "radio", "link", "dialog", "alert", "status", "image"} {
		for _, e := range b.All(role) {
			fmt.Fprintf(&lines, "  %s %q %s\n", e.Role, e.Name, e.Value)
		}
	}
	return lines.String() + "text: " + b.Text()
}

// Click finds an element and clicks at it.
func (b *Tab) Click(role, name string) {
	b.t.Helper()
	b.Find(role, name).Click()
}

// Click scrolls to the element and clicks or, on a phone, taps at its middle.
func (e *Element) Click() {
	b := e.tab
	b.t.Helper()
	b.Clicks++
	x, y := e.middle()
	if b.user.Phone {
		touch := []*input.TouchPoint{{X: x, Y: y}}
		Command(b, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchStart, TouchPoints: touch})
		Command(b, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchEnd, TouchPoints: touch[:0]})
		return
	}
	for _, kind := range []input.DispatchMouseEventType{
		input.DispatchMouseEventTypeMouseMoved, input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased,
	} {
		params := input.DispatchMouseEventParams{Type: kind, X: x, Y: y}
		if kind != input.DispatchMouseEventTypeMouseMoved {
			params.Button, params.ClickCount = input.MouseButtonLeft, 1
		}
		Command(b, input.DispatchMouseEvent, params)
	}
}

// coveredTime is the longest time for which another element may cover one that is about
// to be clicked, such as a dialog that fades out.
const coveredTime = 5 * time.Second

// middle scrolls the element into view and returns its middle. It fails the test if
// another element keeps covering that.
func (e *Element) middle() (x, y float64) {
	b := e.tab
	b.t.Helper()
	uncovered := harness.Poll(coveredTime, func() bool {
		Command(b, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: e.node})
		quads := Command(b, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: e.node}).Quads
		if len(quads) == 0 {
			b.t.Fatalf("%s %q takes no room", e.Role, e.Name)
		}
		quad := quads[0]
		x, y = (quad[0]+quad[4])/2, (quad[1]+quad[5])/2
		return CallOn[bool](e, `function(x, y) {
			let top = document.elementFromPoint(x, y)
			while (top?.shadowRoot) {
				const inner = top.shadowRoot.elementFromPoint(x, y)
				if (!inner || inner === top) break
				top = inner
			}
			const label = this.closest('label') ?? this
			return !!top && (label.contains(top) || top.contains(this))
		}`, x, y)
	})
	if !uncovered {
		b.t.Fatalf("%s %q is covered at %.0f, %.0f", e.Role, e.Name, x, y)
	}
	return x, y
}

// CallOn calls a JavaScript function with an element as this.
func CallOn[T any](e *Element, function string, args ...any) T {
	b := e.tab
	b.t.Helper()
	object := Command(b, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: e.node}).Object
	arguments := make([]*runtime.CallArgument, 0, len(args))
	for _, arg := range args {
		value, err := json.Marshal(arg)
		if err != nil {
			b.t.Fatal(err)
		}
		arguments = append(arguments, &runtime.CallArgument{Value: value})
	}
	yes := true
	result := Command(b, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		FunctionDeclaration: function, ObjectID: object.ObjectID, Arguments: arguments, ReturnByValue: &yes, AwaitPromise: &yes,
	})
	return decode[T](b, function, result.Result, result.ExceptionDetails)
}

// TextContent returns the text of the element's node.
func (e *Element) TextContent() string {
	e.tab.t.Helper()
	return CallOn[string](e, "function() { return this.textContent }")
}

// Fill replaces the text of a field.
func (b *Tab) Fill(name, content string) {
	b.t.Helper()
	b.Fills++
	e := b.Find("textbox", name)
	Command(b, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: e.node})
	Command(b, dom.Focus, dom.FocusParams{BackendNodeID: e.node})
	CallOn[any](e, "function() { this.select() }")
	b.Type(content)
}

// Text returns the visible text of the page, including shadow trees.
func (b *Tab) Text() string {
	b.t.Helper()
	return Eval[string](b, `(() => {
		const read = node => {
			if (node.nodeType === 3) return node.data
			if (node.nodeType === 1 && (/^(style|script|noscript)$/.test(node.localName) || getComputedStyle(node).display === 'none')) return ''
			if (node.localName === 'slot' && node.assignedNodes().length > 0) return node.assignedNodes().map(read).join(' ')
			return [...(node.shadowRoot ?? node).childNodes].map(read).join(' ')
		}
		return read(document.body).replace(/\s+/g, ' ')
	})()`)
}

// AwaitText waits until the page contains one of the texts.
func (b *Tab) AwaitText(texts ...string) {
	b.t.Helper()
	if !harness.Poll(harness.WaitTime, func() bool {
		text := b.Text()
		return slices.ContainsFunc(texts, func(one string) bool { return strings.Contains(text, one) })
	}) {
		b.t.Fatalf("%q is not in the page:\n%s", texts, b.Outline())
	}
}

// AwaitNoText waits until the page does not contain a text.
func (b *Tab) AwaitNoText(text string) {
	b.t.Helper()
	if !harness.Poll(harness.WaitTime, func() bool { return !strings.Contains(b.Text(), text) }) {
		b.t.Fatalf("%q is still in the page:\n%s", text, b.Outline())
	}
}
