import NIOHTTP1
import Testing

@testable import DIGWebSocket

@Suite("WebSocket opening handshake")
struct WebSocketHandshakeTests {
    private let key = "dGhlIHNhbXBsZSBub25jZQ=="

    private func request(_ change: (inout HTTPRequestHead) -> Void = { _ in }) -> HTTPRequestHead {
        var head = WebSocketHandshake.request(host: "example.com", path: "/", key: self.key)
        change(&head)
        return head
    }

    @Test("the example of RFC 6455 §1.3")
    func example() throws {
        #expect(WebSocketHandshake.acceptance(of: self.key) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        let answer = WebSocketHandshake.answer(self.request { $0.uri = "/any/path?at=all" })
        #expect(answer.status == .switchingProtocols)
        try WebSocketHandshake.check(answer, key: self.key)
    }

    @Test("lists and letter case are those of HTTP")
    func lenient() {
        let answer = WebSocketHandshake.answer(
            self.request {
                $0.headers.replaceOrAdd(name: "connection", value: "keep-alive, UPGRADE")
                $0.headers.replaceOrAdd(name: "upgrade", value: "WebSocket")
                $0.headers.add(name: "X-Forwarded-For", value: "127.0.0.1")
            })
        #expect(answer.status == .switchingProtocols)
    }

    @Test("a request that is none is refused, with the reason")
    func refused() {
        #expect(WebSocketHandshake.answer(self.request { $0.method = .POST }).status == .upgradeRequired)
        #expect(WebSocketHandshake.answer(self.request { $0.version = .http1_0 }).status == .upgradeRequired)
        #expect(WebSocketHandshake.answer(self.request { $0.headers.remove(name: "Upgrade") }).status == .upgradeRequired)
        #expect(WebSocketHandshake.answer(self.request { $0.headers.replaceOrAdd(name: "Connection", value: "close") }).status == .upgradeRequired)
        let old = WebSocketHandshake.answer(self.request { $0.headers.replaceOrAdd(name: "Sec-WebSocket-Version", value: "8") })
        #expect(old.status == .upgradeRequired)
        #expect(old.headers["Sec-WebSocket-Version"] == ["13"])
        #expect(WebSocketHandshake.answer(self.request { $0.headers.replaceOrAdd(name: "Sec-WebSocket-Key", value: "c2hvcnQ=") }).status == .badRequest)
        #expect(WebSocketHandshake.answer(self.request { $0.headers.add(name: "Sec-WebSocket-Key", value: self.key) }).status == .badRequest)
        #expect(WebSocketHandshake.answer(self.request { $0.headers.remove(name: "Host") }).status == .badRequest)
    }

    @Test("where one path is served, others are not found")
    func path() {
        func status(_ path: String) -> UInt { WebSocketHandshake.answer(self.request { $0.uri = path }, path: "/gun").status.code }
        #expect(status("/gun") == 101)
        #expect(status("/gun?at=all") == 101)
        #expect(["/", "/gun/", "/gunx", "/GUN", ""].map(status) == [404, 404, 404, 404, 404])
    }

    @Test("an answer that is none is refused")
    func wrongAnswers() {
        func check(_ change: (inout HTTPResponseHead) -> Void) -> WebSocketError.Code? {
            var head = WebSocketHandshake.answer(self.request())
            change(&head)
            do throws(WebSocketError) {
                try WebSocketHandshake.check(head, key: self.key)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(check { _ in } == nil)
        #expect(check { $0.status = .badGateway } == .refused)
        #expect(check { $0.headers.remove(name: "Upgrade") } == .protocolViolation)
        #expect(check { $0.headers.replaceOrAdd(name: "Sec-WebSocket-Accept", value: "AAAA") } == .protocolViolation)
        #expect(check { $0.headers.add(name: "Sec-WebSocket-Extensions", value: "permessage-deflate") } == .protocolViolation)
    }

    @Test("keys are 16 random bytes")
    func keys() {
        var generator = SystemRandomNumberGenerator()
        let keys = Set((0..<20).map { _ in WebSocketHandshake.makeKey(using: &generator) })
        #expect(keys.count == 20)
        #expect(keys.allSatisfy { $0.utf8.count == 24 && WebSocketHandshake.answer(self.request { _ in }).status == .switchingProtocols })
    }
}
