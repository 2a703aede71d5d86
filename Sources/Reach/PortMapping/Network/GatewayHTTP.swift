import DIGMultiformats
import DIGNet
import NIOCore
import NIOHTTP1
import NIOPosix

/// HTTP/1.1 with a gateway: one request for each connection, no redirects, limits on size and time.
struct GatewayHTTP: Sendable {
    /// Of everything that a connection brings.
    static let maximumByteCount = XMLScanner.maximumByteCount + 16 * 1024
    static let userAgent = "dig-nat-tools UPnP/1.1"

    let eventLoop: any EventLoop
    /// Of connecting and the whole answer together.
    let timeout: Duration

    func get(_ url: GatewayURL) async throws -> HTTPAnswer {
        try await self.perform(.GET, url, headers: [:], body: nil)
    }

    /// - Parameter action: The value of `SOAPACTION`, without quotes.
    func post(_ url: GatewayURL, action: String, body: String) async throws -> HTTPAnswer {
        let body = ByteBuffer(string: body)
        return try await self.perform(
            .POST, url,
            headers: ["Content-Type": "text/xml; charset=\"utf-8\"", "SOAPAction": "\"\(action)\"", "Content-Length": "\(body.readableBytes)"], body: body)
    }

    private func perform(_ method: HTTPMethod, _ url: GatewayURL, headers: HTTPHeaders, body: ByteBuffer?) async throws -> HTTPAnswer {
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: url.path)
        head.headers.add(name: "Host", value: url.authority)
        head.headers.add(name: "User-Agent", value: Self.userAgent)
        head.headers.add(name: "Connection", value: "close")
        head.headers.add(contentsOf: headers)
        let request = head
        let timeAmount = TimeAmount(self.timeout)
        let timeoutError = PortMappingError(.unresponsive, "\(url.authority) did not answer within \(self.timeout)")
        return try await ChannelCanceller.run { canceller in
            self.eventLoop.flatSubmit {
                let promise = self.eventLoop.makePromise(of: HTTPAnswer.self)
                let address: SocketAddress
                do { address = try SocketAddress(ip: [.ip4(url.host)], port: url.port) } catch {
                    promise.fail(error)
                    return promise.futureResult
                }
                let timer = self.eventLoop.scheduleTask(in: timeAmount) {
                    promise.fail(timeoutError)
                    canceller.cancel()
                }
                ClientBootstrap(group: self.eventLoop)
                    .connectTimeout(timeAmount)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            canceller.attach(channel)
                            let pipeline = channel.pipeline.syncOperations
                            try pipeline.addHandler(ByteLimitHandler(limit: Self.maximumByteCount))
                            try pipeline.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                            try pipeline.addHandler(HTTPAnswerHandler(head: request, body: body, promise: promise))
                        }
                    }
                    .connect(to: address)
                    .whenFailure { error in
                        promise.fail(PortMappingError(.networkFailure, "no connection to \(url.authority): \(error)"))
                    }
                promise.futureResult.whenComplete { _ in timer.cancel() }
                return promise.futureResult
            }
        }
    }
}
