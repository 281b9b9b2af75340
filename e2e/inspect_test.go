package e2e_test

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/page"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// screenshots is the directory into which the states of the page are written, if
// it is set.
var screenshots = os.Getenv("SCREENSHOTS")

// axeSource is axe-core, which knows the rules of accessibility that a program can
// check.
var axeSource = sync.OnceValues(func() (string, error) {
	content, err := os.ReadFile(filepath.Join(repository(), "e2e", "node", "node_modules", "axe-core", "axe.min.js"))
	return string(content), err
})

// violations runs axe with all of its rules, or with some, and returns a line for
// each thing that breaks one.
const violations = `(async rules => {
	const options = { resultTypes: ['violations'] }
	if (rules.length > 0) options.runOnly = { type: 'rule', values: rules }
	const { violations } = await axe.run(document, options)
	return violations.flatMap(({ id, help, nodes }) => nodes.map(node => id + ': ' + help + ': ' + node.target.join(' ') + ' ' + node.html.slice(0, 200) + ' ' + (node.any[0]?.message ?? '')))
})(%s)`

// inspect checks the page in the state that it is in, light and dark: no violation
// of accessibility, nothing that reaches out of the screen of a phone, nothing there
// too small to be tapped. It takes pictures if that is wanted.
func (b *tab) inspect(state string) {
	b.t.Helper()
	axe, err := axeSource()
	if err != nil {
		b.t.Fatal(err)
	}
	if !eval[bool](b, "typeof axe === 'object'") {
		eval[any](b, axe+"\n;0")
	}
	looks := b.person.look
	for _, looks.dark = range []bool{false, true} {
		b.dress(looks)
		// Colors change with a frame.
		eval[any](b, "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))")
		name, rules := state+"-light", "[]"
		if looks.dark {
			name, rules = state+"-dark", "['color-contrast']" // all else is the same
		}
		if looks.phone {
			name += "-phone"
		}
		for _, violation := range eval[[]string](b, fmt.Sprintf(violations, rules)) {
			b.t.Errorf("%s: %s", name, violation)
		}
		b.picture(name)
	}
	b.dress(b.person.look)
	if !looks.phone {
		return
	}
	for _, fault := range eval[[]string](b, tooSmall) {
		b.t.Errorf("%s: %s", state, fault)
	}
}

// tooSmall lists what is less than 44 pixels wide or high and can be tapped, where
// it isn't part of a line of text, and what makes the page scroll aside.
const tooSmall = `(() => {
	const faults = []
	const root = document.documentElement
	if (root.scrollWidth > root.clientWidth) faults.push('the page scrolls ' + (root.scrollWidth - root.clientWidth) + ' pixels aside')
	const look = node => {
		for (const child of node.children) {
			if (getComputedStyle(child).display === 'none') continue
			if (child.matches('button, input, textarea, select, [role=button]')) {
				const { width, height, right } = (child.matches('[type=checkbox], [type=radio]') ? child.closest('label') ?? child : child).getBoundingClientRect()
				const seen = width > 0 && height > 0 && getComputedStyle(child).visibility === 'visible'
				if (seen && (width < 43.5 || height < 43.5)) faults.push(child.outerHTML.slice(0, 120) + ' is ' + Math.round(width) + ' by ' + Math.round(height))
				if (seen && right > root.clientWidth + 1) faults.push(child.outerHTML.slice(0, 120) + ' is outside')
			}
			look(child.shadowRoot ?? child)
			if (child.shadowRoot) look(child)
		}
	}
	look(document.body)
	return faults
})()`

// picture writes what is seen into a file.
func (b *tab) picture(name string) {
	b.t.Helper()
	if screenshots == "" {
		return
	}
	quality := int64(90)
	got := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
	if err := os.WriteFile(filepath.Join(screenshots, name+".webp"), got.Data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// code reads the QR code that something shows.
func (e *element) code() string {
	b := e.tab
	b.t.Helper()
	call(b, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: e.node})
	quad := call(b, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: e.node}).Quads[0]
	got := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng,
		Clip:   &page.Viewport{X: quad[0], Y: quad[1], Width: quad[4] - quad[0], Height: quad[5] - quad[1], Scale: 2},
	})
	picture, err := png.Decode(bytes.NewReader(got.Data))
	if err != nil {
		b.t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		b.t.Fatal(err)
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		b.t.Fatalf("the QR code cannot be read: %v", err)
	}
	return result.GetText()
}

// prepare gets ready for inspecting.
func prepare(t *testing.T) {
	t.Helper()
	installNode(t)
	if screenshots == "" {
		return
	}
	if err := os.MkdirAll(screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
}
