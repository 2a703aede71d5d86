import Crypto
import Foundation
import NIOHTTP1

/// The opening handshake of a WebSocket (RFC 6455 §4) at a path of GUN: texts in, texts out.
enum GunHandshake {
    /// RFC 6455 §1.3.
    private static let guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    private static let keyByteCount = 16

    enum Answer: Hashable {
        case accepted(String)
        /// To be sent before the connection is closed.
        case refused(String)
    }

    static func makeKey() -> String {
        Data((0..<Self.keyByteCount).map { _ in UInt8.random(in: .min ... .max) }).base64EncodedString()
    }

    static func acceptance(of key: String) -> String {
        Data(Insecure.SHA1.hash(data: Data((key + Self.guid).utf8))).base64EncodedString()
    }

    static func request(_ url: GunURL, key: String) -> String {
        "GET \(url.path) HTTP/1.1\r\nHost: \(url.authority)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Key: \(key)\r\nSec-WebSocket-Version: 13\r\n\r\n"
    }

    static func isAccepted(_ head: GunHTTPHead, key: String) -> Bool {
        head.start[0] == "HTTP/1.1" && head.start[1] == "101" && Self.isUpgrade(head.headers)
            && head.headers["Sec-WebSocket-Accept"] == [Self.acceptance(of: key)]
            && head.headers["Sec-WebSocket-Extensions"].isEmpty && head.headers["Sec-WebSocket-Protocol"].isEmpty
    }

    /// - Parameter path: The only one that is upgraded.
    static func answer(_ head: GunHTTPHead?, path: String) -> Answer {
        guard let head, head.start.count == 3, head.start[2] == "HTTP/1.1", head.headers["Host"].count == 1 else { return Self.refusal("400 Bad Request") }
        guard head.start[0] == "GET" else { return Self.refusal("405 Method Not Allowed") }
        guard head.start[1].prefix(while: { $0 != "?" }) == path else { return Self.refusal("404 Not Found") }
        guard Self.isUpgrade(head.headers), head.headers["Sec-WebSocket-Version"] == ["13"] else {
            return Self.refusal("426 Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n")
        }
        let keys = head.headers["Sec-WebSocket-Key"]
        guard keys.count == 1, let key = keys.first, Data(base64Encoded: key)?.count == Self.keyByteCount else { return Self.refusal("400 Bad Request") }
        return .accepted(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(Self.acceptance(of: key))\r\n\r\n")
    }

    private static func refusal(_ status: String, _ headers: String = "") -> Answer {
        .refused("HTTP/1.1 \(status)\r\n\(headers)Content-Length: 0\r\nConnection: close\r\n\r\n")
    }

    private static func isUpgrade(_ headers: HTTPHeaders) -> Bool {
        headers[canonicalForm: "Upgrade"].contains { $0.lowercased() == "websocket" }
            && headers[canonicalForm: "Connection"].contains { $0.lowercased() == "upgrade" }
    }
}
