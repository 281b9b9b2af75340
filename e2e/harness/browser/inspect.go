package browser

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/page"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// screenshots is the folder for pictures of the page's states; "" for no pictures.
var screenshots = os.Getenv("SCREENSHOTS")

// repaintTime bounds the time until the page has the colors of an emulated scheme.
const repaintTime = 3 * time.Second

// axeSource is the script of axe-core, which checks the rules of accessibility that a
// program can check.
var axeSource = sync.OnceValues(func() (string, error) {
	content, err := os.ReadFile(filepath.Join(harness.NodeDir(), "node_modules", "axe-core", "axe.min.js"))
	return string(content), err
})

// violations runs axe with all of its rules, or with some, and returns a line for
// each violation.
const violations = `(async rules => {
	const options = { resultTypes: ['violations'] }
	if (rules.length > 0) options.runOnly = { type: 'rule', values: rules }
	const { violations } = await axe.run(document, options)
	return violations.flatMap(({ id, help, nodes }) => nodes.map(node => id + ': ' + help + ': ' + node.target.join(' ') + ' ' + node.html.slice(0, 200) + ' ' + (node.any[0]?.message ?? '')))
})(%s)`

// Inspect checks the page in its present state, light and dark. It reports violations
// of accessibility and, on a phone, elements outside of the screen or too small to be
// tapped. It takes screenshots if SCREENSHOTS names a folder.
func (b *Tab) Inspect(state string) {
	b.t.Helper()
	harness.InstallNode(b.t)
	axe, err := axeSource()
	if err != nil {
		b.t.Fatal(err)
	}
	if !Eval[bool](b, "typeof axe === 'object'") {
		Eval[any](b, axe+"\n;0")
	}
	device := b.user.Device
	for _, device.Dark = range []bool{false, true} {
		b.emulate(device)
		name, rules := state+"-light", "[]"
		if device.Dark {
			name, rules = state+"-dark", "['color-contrast']" // the others do not depend on colors
		}
		if device.Phone {
			name += "-phone"
		}
		// Colors change with the next frames.
		var found []string
		harness.Poll(repaintTime, func() bool { found = Eval[[]string](b, fmt.Sprintf(violations, rules)); return len(found) == 0 })
		for _, violation := range found {
			b.t.Errorf("%s: %s", name, violation)
		}
		b.screenshot(name)
	}
	b.emulate(b.user.Device)
	if !device.Phone {
		return
	}
	for _, fault := range Eval[[]string](b, layoutFaults) {
		b.t.Errorf("%s: %s", state, fault)
	}
}

// layoutFaults lists elements to tap at that are less than 44 pixels wide or high, or
// outside of the screen, and reports whether the page scrolls sideways.
const layoutFaults = `(() => {
	const faults = []
	const root = document.documentElement
	if (root.scrollWidth > root.clientWidth) faults.push('the page scrolls ' + (root.scrollWidth - root.clientWidth) + ' pixels aside')
	const check = node => {
		for (const child of node.children) {
			if (getComputedStyle(child).display === 'none') continue
			if (child.matches('button, input, textarea, select, [role=button]')) {
				const { width, height, right } = (child.matches('[type=checkbox], [type=radio]') ? child.closest('label') ?? child : child).getBoundingClientRect()
				const seen = width > 0 && height > 0 && getComputedStyle(child).visibility === 'visible'
				if (seen && (width < 43.5 || height < 43.5)) faults.push(child.outerHTML.slice(0, 120) + ' is ' + Math.round(width) + ' by ' + Math.round(height))
				if (seen && right > root.clientWidth + 1) faults.push(child.outerHTML.slice(0, 120) + ' is outside')
			}
			check(child.shadowRoot ?? child)
			if (child.shadowRoot) check(child)
		}
	}
	check(document.body)
	return faults
})()`

// screenshot writes a picture of the page.
func (b *Tab) screenshot(name string) {
	b.t.Helper()
	if screenshots == "" {
		return
	}
	quality := int64(90)
	picture := Command(b, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
	if err := os.MkdirAll(screenshots, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(screenshots, name+".webp"), picture.Data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// QRCode returns the text of the QR code that the element shows.
func (e *Element) QRCode() string {
	b := e.tab
	b.t.Helper()
	Command(b, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: e.node})
	quad := Command(b, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: e.node}).Quads[0]
	shot := Command(b, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng,
		Clip:   &page.Viewport{X: quad[0], Y: quad[1], Width: quad[4] - quad[0], Height: quad[5] - quad[1], Scale: 2},
	})
	picture, err := png.Decode(bytes.NewReader(shot.Data))
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
