@testable import DIGPortMapping
import NIOCore
import Synchronization

/// A UPnP gateway on the loopback interface, with its search, its description and its table.
final class FakeRouter: Sendable {
    struct Table {
        var entries: [String: (client: String, port: String, lease: String)] = [:]
        var external = "11.0.0.2"
        /// A fault instead of an answer, by action.
        var faults: [String: Int] = [:]
        var onlyPermanent = false
    }

    let table: SharedTable
    let http: FakeHTTPServer
    let ssdp: FakeDatagramGateway

    final class SharedTable: Sendable {
        let value = Mutex(Table())
    }

    private init(_ table: SharedTable, _ http: FakeHTTPServer, _ ssdp: FakeDatagramGateway) {
        self.table = table
        self.http = http
        self.ssdp = ssdp
    }

    /// - Parameter description: What a GET is answered with, if not with a description of this router.
    static func start(
        kind: UPnPService.Kind = .ip1, location: String? = nil, description: FakeHTTPServer.Answer? = nil, control: FakeHTTPServer.Answer? = nil
    ) async throws -> FakeRouter {
        let table = SharedTable()
        let http = try await FakeHTTPServer.start { request in
            if request.hasPrefix("GET ") {
                return description ?? FakeHTTPServer.page(UPnPMessageTests.description(services: [(kind.rawValue, "/ctl")], name: "Fake"))
            }
            return control ?? table.value.withLock { Self.perform(request, &$0) }
        }
        let url = location ?? "http://127.0.0.1:\(http.port)/root.xml"
        let ssdp = try await FakeDatagramGateway.start { _ in [ByteBuffer(bytes: SSDPTests.answer(url))] }
        return FakeRouter(table, http, ssdp)
    }

    func stop() async throws {
        try await self.http.stop()
        try await self.ssdp.stop()
    }

    func change(_ body: @Sendable (inout Table) -> Void) { self.table.value.withLock { body(&$0) } }
    var entries: [String] { self.table.value.withLock { $0.entries.map { "\($0.key) \($0.value.client):\($0.value.port) \($0.value.lease)" }.sorted() } }

    private static func perform(_ request: String, _ table: inout Table) -> FakeHTTPServer.Answer {
        func fault(_ code: Int) -> FakeHTTPServer.Answer {
            FakeHTTPServer.page(String(decoding: UPnPMessageTests.envelope(UPnPMessageTests.fault(code)), as: UTF8.self), status: "500 Internal Server Error")
        }
        guard let body = request.split(separator: "\r\n\r\n", maxSplits: 1).dropFirst().first,
            let call = (try? XMLScanner.parse(Array(body.utf8)))?["Body"]?.children.first
        else { return fault(402) }
        func argument(_ name: String) -> String { call[name]?.text ?? "" }
        func answer(_ arguments: String) -> FakeHTTPServer.Answer {
            FakeHTTPServer.page(String(decoding: UPnPMessageTests.envelope("<u:\(call.name)Response xmlns:u=\"x\">\(arguments)</u:\(call.name)Response>"), as: UTF8.self))
        }
        if let code = table.faults[call.name] { return fault(code) }
        let key = "\(argument("NewProtocol")) \(argument("NewExternalPort"))"
        switch call.name {
        case "GetExternalIPAddress": return answer("<NewExternalIPAddress>\(table.external)</NewExternalIPAddress>")
        case "AddPortMapping", "AddAnyPortMapping":
            if table.onlyPermanent, argument("NewLeaseDuration") != "0" { return fault(725) }
            if let entry = table.entries[key], entry.client != argument("NewInternalClient") { return fault(718) }
            table.entries[key] = (argument("NewInternalClient"), argument("NewInternalPort"), argument("NewLeaseDuration"))
            return answer(call.name == "AddPortMapping" ? "" : "<NewReservedPort>\(argument("NewExternalPort"))</NewReservedPort>")
        case "GetSpecificPortMappingEntry":
            guard let entry = table.entries[key] else { return fault(714) }
            return answer("<NewInternalPort>\(entry.port)</NewInternalPort><NewInternalClient>\(entry.client)</NewInternalClient>")
        case "DeletePortMapping":
            guard table.entries.removeValue(forKey: key) != nil else { return fault(714) }
            return answer("")
        default: return fault(401)
        }
    }
}
