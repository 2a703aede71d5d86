import DIGNet
import Synchronization

/// The protocols answered on inbound streams.
final class ProtocolTable: Sendable {
    private struct State {
        var handlers: [ProtocolID: StreamHandler] = [:]
        /// The keys, kept because every inbound stream asks for them.
        var ids: [ProtocolID] = []
    }

    private let state = Mutex(State())

    var ids: [ProtocolID] { self.state.withLock { $0.ids } }

    func handler(for id: ProtocolID) -> StreamHandler? {
        self.state.withLock { $0.handlers[id] }
    }

    /// - Returns: Whether the set of protocols changed.
    func set(_ handler: StreamHandler?, for id: ProtocolID) -> Bool {
        self.state.withLock { state in
            let previous = state.handlers.updateValue(handler, forKey: id)
            guard (previous == nil) != (handler == nil) else { return false }
            state.ids = state.handlers.keys.sorted { $0.rawValue < $1.rawValue }
            return true
        }
    }
}

extension Dictionary {
    fileprivate mutating func updateValue(_ value: Value?, forKey key: Key) -> Value? {
        if let value { return self.updateValue(value, forKey: key) }
        return self.removeValue(forKey: key)
    }
}
