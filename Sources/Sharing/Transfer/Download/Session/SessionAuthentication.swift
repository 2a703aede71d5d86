/// What the peer of a session knows about who asks, and what has to be asked again once it knows more.
///
/// A peer may want to know who this is before it says anything, or know and want more: what was proven on this connection earlier may not have been
/// for this content, and whoever shows what there is learns what is missing. That is done once for the session, at the first refusal. What was asked under
/// a handle until then is asked again, and the refusal has not happened.
///
///     asked ──── described ────────────────────────────────────────► answered
///       │                                                               ▲
///       └─ refused ──► proving ── proven ──► asked again ── described ──┤
///                        └─────── failed ───────────────────────────────┘
struct SessionAuthentication: Sendable {
    /// What follows from a description.
    enum Verdict: Equatable, Sendable {
        /// It was not asked for, or came already.
        case violation
        /// It is what the peer says. `refusal`: why it could not be made to say something else, if that was tried.
        case report(refusal: TransferError?)
        /// Prove who this is, then call ``proven()`` or ``failed(_:)``.
        case prove
        /// That is being done.
        case wait
        /// Close the handle, open it anew, and ask for these.
        case askAgain([TransferRequest])
    }

    private enum Stage {
        /// Nothing can be proven.
        case impossible
        case untried
        case running
        case failed(TransferError)
        case done
    }

    private enum State {
        /// The description has not come. `isEarly`: it was asked for before the peer knew who this is.
        case asked(isEarly: Bool)
        /// The peer has refused, and is being convinced.
        case proving
        case askedAgain
        case answered
    }

    private struct Handle {
        var state = State.asked(isEarly: false)
        /// Asked for until the description comes.
        var requests: [TransferRequest] = []
    }

    private var stage: Stage
    private var handles: [UInt32: Handle] = [:]

    /// - Parameter isPossible: Whether there is anything to prove with. If not, every refusal counts.
    init(isPossible: Bool) {
        self.stage = isPossible ? .untried : .impossible
    }

    /// The description is asked for.
    mutating func opened(_ handle: UInt32) { self.handles[handle] = Handle() }

    mutating func released(_ handle: UInt32) { self.handles[handle] = nil }

    /// Something else is asked for.
    mutating func asked(_ request: TransferRequest, handle: UInt32) {
        if case .impossible = self.stage { return }
        switch self.handles[handle]?.state {
        case .asked, .proving: self.handles[handle]?.requests.append(request)
        case .askedAgain, .answered, nil: break
        }
    }

    /// Whether the peer has refused, and is asked again: what it says until it describes the content counts for nothing.
    func isRefused(_ handle: UInt32) -> Bool {
        switch self.handles[handle]?.state {
        case .proving, .askedAgain: true
        case .asked, .answered, nil: false
        }
    }

    /// The peer described the content, or refused.
    ///
    /// - Parameter isAboutThePeer: It refused because of who asks.
    mutating func described(_ handle: UInt32, isAboutThePeer: Bool) -> Verdict {
        guard let state = self.handles[handle]?.state else { return .violation }
        let isEarly: Bool
        switch state {
        case .proving, .answered: return .violation
        case .askedAgain: return self.answered(handle, nil)
        case .asked(let early): isEarly = early
        }
        guard isAboutThePeer else { return self.answered(handle, nil) }
        switch self.stage {
        case .impossible: return self.answered(handle, nil)
        case .failed(let error): return self.answered(handle, error)
        // It was satisfied before: more cannot be proven. But what was asked before that is asked again.
        case .done: return isEarly ? .askAgain(self.askAgain(handle)) : self.answered(handle, nil)
        case .running:
            self.handles[handle]?.state = .proving
            return .wait
        case .untried:
            self.stage = .running
            self.handles[handle]?.state = .proving
            return .prove
        }
    }

    private mutating func answered(_ handle: UInt32, _ refusal: TransferError?) -> Verdict {
        self.handles[handle] = Handle(state: .answered)
        return .report(refusal: refusal)
    }

    private mutating func askAgain(_ handle: UInt32) -> [TransferRequest] {
        let requests = self.handles[handle]?.requests ?? []
        self.handles[handle] = Handle(state: .askedAgain)
        return requests
    }

    /// The peer is satisfied.
    ///
    /// - Returns: The handles to close, to open anew, and what is to be asked for under them; in their order.
    mutating func proven() -> [(handle: UInt32, requests: [TransferRequest])] {
        self.stage = .done
        var again: [(handle: UInt32, requests: [TransferRequest])] = []
        for handle in self.handles.keys.sorted() {
            switch self.handles[handle]?.state {
            case .proving: again.append((handle, self.askAgain(handle)))
            case .asked: self.handles[handle]?.state = .asked(isEarly: true)
            case .askedAgain, .answered, nil: break
            }
        }
        return again
    }

    /// The peer could not be satisfied.
    ///
    /// - Returns: The handles that are refused for good, in their order.
    mutating func failed(_ error: TransferError) -> [UInt32] {
        self.stage = .failed(error)
        let refused = self.handles.keys.sorted().filter { self.isRefused($0) }
        for handle in refused { self.handles[handle] = Handle(state: .answered) }
        return refused
    }
}
