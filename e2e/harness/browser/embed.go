package browser

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// shop is a page of a careful site, which embeds the chat.
//
//go:embed shop
var shop embed.FS

// strictPolicy allows the style sheet of the site, and the chat.
const strictPolicy = "default-src 'none'; script-src 'self' %[1]s; style-src 'self'; img-src data:; connect-src 'self' %[1]s %[2]s; " +
	"base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// EmbeddingPage starts a site with a page that embeds an element. The element uses the
// chat of another site or, if chat is "", a chat of this site. EmbeddingPage returns
// the URL of the page.
func EmbeddingPage(t *testing.T, address, chat, element string) string {
	t.Helper()
	script, socket, own := "/chat/embed.js", "", "ephemeral_chat /chat/* {\n"+harness.Unlimited+"\n}"
	if chat != "" {
		script, socket, own = chat+"/embed.js", strings.Replace(chat, "http", "ws", 1), ""
	}
	dir := t.TempDir()
	blanks := strings.NewReplacer("{{embed.js}}", script, "{{element}}", element)
	for _, name := range []string{"shop.html", "shop.css"} {
		content, err := shop.ReadFile("shop/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(blanks.Replace(string(content))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	policy := fmt.Sprintf(strictPolicy, chat, socket)
	harness.StartNode(t, "", fmt.Sprintf("http://%s {\n\theader /shop.html Content-Security-Policy %q\n\t%s\n\troot %s\n\tfile_server\n}", address, policy, own, dir), address)
	return "http://" + address + "/shop.html"
}
