import Crypto
import Foundation
import NIOHTTP1

/// The opening handshake (RFC 6455 §4): what is asked and what is answered, without any channel.
enum WebSocketHandshake {
    /// RFC 6455 §1.3.
    private static let guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    /// RFC 6455 §4.1.
    private static let version = "13"
    private static let keyByteCount = 16

    /// A key for ``request(host:path:key:)``.
    static func makeKey(using generator: inout some RandomNumberGenerator) -> String {
        Data((0..<Self.keyByteCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) }).base64EncodedString()
    }

    static func acceptance(of key: String) -> String {
        Data(Insecure.SHA1.hash(data: Data((key + Self.guid).utf8))).base64EncodedString()
    }

    static func request(host: String, path: String, key: String) -> HTTPRequestHead {
        HTTPRequestHead(
            version: .http1_1, method: .GET, uri: path,
            headers: [
                "Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": Self.version,
            ])
    }

    /// Checks an answer to a request with `key` (RFC 6455 §4.1).
    static func check(_ response: HTTPResponseHead, key: String) throws(WebSocketError) {
        guard response.status == .switchingProtocols else {
            throw WebSocketError(.refused, "the server answered \(response.status.code) \(response.status.reasonPhrase) in place of a WebSocket")
        }
        guard Self.isUpgrade(response.headers), response.headers["Sec-WebSocket-Accept"] == [Self.acceptance(of: key)] else {
            throw WebSocketError(.protocolViolation, "the server's answer is none to our handshake")
        }
        guard response.headers["Sec-WebSocket-Extensions"].isEmpty, response.headers["Sec-WebSocket-Protocol"].isEmpty else {
            throw WebSocketError(.protocolViolation, "the server chose an extension or a protocol that was not offered")
        }
    }

    /// The answer to a request: 101, or why not. What the request claims about a proxy and those before it is not looked at.
    ///
    /// - Parameter path: Others are not found, whatever their query; nil: any will do.
    static func answer(_ request: HTTPRequestHead, path: String? = nil) -> HTTPResponseHead {
        guard request.method == .GET, request.version == .http1_1, Self.isUpgrade(request.headers) else {
            return Self.refusal(.upgradeRequired, ["Upgrade": "websocket", "Sec-WebSocket-Version": Self.version])
        }
        guard request.headers["Sec-WebSocket-Version"] == [Self.version] else {
            return Self.refusal(.upgradeRequired, ["Upgrade": "websocket", "Sec-WebSocket-Version": Self.version])
        }
        if let path, request.uri.prefix(while: { $0 != "?" }) != path { return Self.refusal(.notFound, [:]) }
        let keys = request.headers["Sec-WebSocket-Key"]
        guard keys.count == 1, let key = keys.first, let decoded = Data(base64Encoded: key), decoded.count == Self.keyByteCount,
            request.headers["Host"].count == 1
        else { return Self.refusal(.badRequest, [:]) }
        return HTTPResponseHead(
            version: .http1_1, status: .switchingProtocols,
            headers: ["Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": Self.acceptance(of: key)])
    }

    private static func refusal(_ status: HTTPResponseStatus, _ headers: HTTPHeaders) -> HTTPResponseHead {
        var headers = headers
        headers.add(name: "Content-Length", value: "0")
        headers.add(name: "Connection", value: "close")
        return HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    }

    private static func isUpgrade(_ headers: HTTPHeaders) -> Bool {
        headers[canonicalForm: "Upgrade"].contains { $0.lowercased() == "websocket" }
            && headers[canonicalForm: "Connection"].contains { $0.lowercased() == "upgrade" }
    }
}
