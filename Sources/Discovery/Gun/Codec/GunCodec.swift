/// Text of the wire ↔ messages.
enum GunCodec {
    /// The messages of one WebSocket message. `[]`, which relays send to keep a connection alive, has none.
    ///
    /// A message of a batch that can't be read does not take the others with it.
    static func decode(_ bytes: [UInt8], limits: GunLimits = .init()) throws(GunCodecError) -> [Result<GunMessage, GunCodecError>] {
        let json: GunJSON
        do throws(GunJSONError) { json = try GunJSONReader.read(bytes, limits: limits.json) } catch { throw .notJSON(error) }
        switch json {
        case .object: return [Self.result(json, limits)]
        case .array(let elements):
            guard elements.count <= limits.batchCount else { throw .tooManyMessages }
            return elements.map { Self.result($0, limits) }
        default: throw .notAMessage
        }
    }

    private static func result(_ json: GunJSON, _ limits: GunLimits) -> Result<GunMessage, GunCodecError> {
        do throws(GunCodecError) { return .success(try Self.message(json, limits)) } catch { return .failure(error) }
    }

    private static func message(_ json: GunJSON, _ limits: GunLimits) throws(GunCodecError) -> GunMessage {
        guard case .object(let members) = json else { throw .notAMessage }
        var message = GunMessage()
        func name(_ member: ExactText, _ field: GunCodecError.Field) throws(GunCodecError) -> ExactText? {
            switch members[member] {
            case nil: return nil
            case .string(let text)? where text.byteCount <= limits.idByteCount && text.byteCount > 0: return text
            default: throw .malformed(field)
            }
        }
        message.id = try name("#", .id)
        message.answers = try name("@", .answers)
        message.dam = try name("dam", .dam)
        message.pid = try name("pid", .pid)
        if let hash = members["##"] {
            guard case .number(let number) = hash, let value = Int32(exactly: number) else { throw .malformed(.hash) }
            message.hash = value
        }
        if let neighbours = members["><"] {
            guard case .string(let text) = neighbours, text.byteCount <= 4_096 else { throw .malformed(.neighbours) }
            message.neighbours = text.string.utf8.split(separator: UInt8(ascii: ","), maxSplits: 16).map { ExactText(String($0) ?? "") }
        }
        if let more = members["%"] {
            switch more {
            case .string(let text) where text.byteCount <= limits.idByteCount: break
            case .number, .bool: break
            default: throw .malformed(.more)
            }
            message.more = more
        }
        switch members["ok"] {
        case nil: break
        case .object(let ok)?:
            // Only the two numbers of a put, and the empty name of an acknowledgement, mean anything.
            message.ok = .object(ok.filter { ["@", "/", ""].contains($0.key) && Self.isScalar($0.value) })
        case .bool(let ok)?: message.ok = .bool(ok)
        case .number(let ok)?: message.ok = .number(ok)
        case .null?: break
        default: throw .malformed(.ok)
        }
        switch members["err"] {
        case nil, .null?, .bool(false)?: break
        case .string(let text)? where text.byteCount <= 1_024: message.err = text
        case .bool(true)?, .number?: message.err = "error"
        default: throw .malformed(.err)
        }
        if let put = members["put"], message.dam == nil { (message.put, message.malformedEntryCount) = try Self.nodes(put, limits) }
        if let get = members["get"], message.dam == nil { message.get = try Self.query(get, limits) }
        return message
    }

    private static func isScalar(_ json: GunJSON) -> Bool {
        switch json {
        case .null, .bool, .number: true
        case .string, .array, .object: false
        }
    }

    /// The nodes of a `put`, without those entries that have no state or no possible value.
    ///
    /// A node without `_` or under another soul spoils the message, as in gun.js.
    static func nodes(_ json: GunJSON, _ limits: GunLimits) throws(GunCodecError) -> ([GunNode], malformed: Int) {
        guard case .object(let graph) = json, graph.count <= limits.nodeCount else { throw .malformed(.put) }
        var nodes: [GunNode] = []
        var malformed = 0
        for (soul, body) in graph {
            guard case .object(let members) = body, case .object(let meta)? = members["_"], meta["#"]?.text == soul,
                Self.isName(soul, limits), case .object(let states)? = meta[">"]
            else { throw .malformed(.node) }
            var node = GunNode(soul)
            for (key, value) in members where key != "_" {
                guard Self.isName(key, limits), case .number(let state)? = states[key], state.isFinite, let value = GunValue(value),
                    value.byteCount <= limits.valueByteCount
                else {
                    malformed += 1
                    continue
                }
                node.entries[key] = GunEntry(value, state: state)
            }
            if node.entries.isEmpty { continue }
            nodes.append(node)
        }
        // Order does not matter to the graph, but runs are to repeat themselves.
        nodes.sort { $0.soul < $1.soul }
        return (nodes, malformed)
    }

    /// JavaScript treats a key `__proto__` apart from all others, and differently in each of its steps.
    private static func isName(_ name: ExactText, _ limits: GunLimits) -> Bool {
        name.byteCount > 0 && name.byteCount <= limits.nameByteCount && name != "__proto__"
    }

    private static func query(_ json: GunJSON, _ limits: GunLimits) throws(GunCodecError) -> GunQuery {
        guard case .object(let members) = json, let soul = members["#"] else { throw .malformed(.get) }
        var query = GunQuery(soul: try Self.pattern(soul, limits), key: nil)
        if let key = members["."] { query.key = try Self.pattern(key, limits) }
        switch members["%"] {
        case nil: break
        case .number(let limit)? where limit.isFinite && limit > 0: query.limit = limit
        default: throw .malformed(.get)
        }
        query.isReversed = try Self.flag(members["-"])
        return query
    }

    private static func pattern(_ json: GunJSON, _ limits: GunLimits) throws(GunCodecError) -> GunQuery.Pattern {
        switch json {
        case .string(let text) where text.byteCount <= limits.nameByteCount: return .exactly(text)
        case .object(let members):
            func part(_ name: ExactText) throws(GunCodecError) -> ExactText? {
                switch members[name] {
                case nil: return nil
                case .string(let text)? where text.byteCount <= limits.nameByteCount: return text
                default: throw .malformed(.get)
                }
            }
            let lex = GunLex(
                prefix: try part("*"), from: try part(">"), to: try part("<"), exact: try part("="), isReversed: try Self.flag(members["-"]))
            guard lex.prefix != nil || lex.from != nil || lex.to != nil || lex.exact != nil else { throw .malformed(.get) }
            return .lex(lex)
        default: throw .malformed(.get)
        }
    }

    private static func flag(_ json: GunJSON?) throws(GunCodecError) -> Bool {
        switch json {
        case nil, .null?, .bool(false)?: false
        case .number(let number)?: number != 0
        case .bool(true)?: true
        default: throw .malformed(.get)
        }
    }

    // MARK: Writing

    static func encode(_ message: GunMessage) -> [UInt8] {
        var members: [ExactText: GunJSON] = [:]
        members["#"] = message.id.map { .string($0) }
        members["##"] = message.hash.map { .number(Double($0)) }
        members["%"] = message.more
        members["@"] = message.answers.map { .string($0) }
        if !message.neighbours.isEmpty { members["><"] = .string(ExactText(message.neighbours.map(\.string).joined(separator: ","))) }
        members["dam"] = message.dam.map { .string($0) }
        members["pid"] = message.pid.map { .string($0) }
        members["err"] = message.err.map { .string($0) }
        members["ok"] = message.ok
        members["get"] = message.get.map(Self.json)
        members["put"] = message.put.map(GunNode.json)
        return GunJSONWriter.bytes(.object(members))
    }

    private static func json(_ query: GunQuery) -> GunJSON {
        var members: [ExactText: GunJSON] = ["#": Self.json(query.soul)]
        members["."] = query.key.map(Self.json)
        members["%"] = query.limit.map { .number($0) }
        if query.isReversed { members["-"] = .number(1) }
        return .object(members)
    }

    private static func json(_ pattern: GunQuery.Pattern) -> GunJSON {
        switch pattern {
        case .exactly(let text): return .string(text)
        case .lex(let lex):
            var members: [ExactText: GunJSON] = [:]
            members["*"] = lex.prefix.map { .string($0) }
            members[">"] = lex.from.map { .string($0) }
            members["<"] = lex.to.map { .string($0) }
            members["="] = lex.exact.map { .string($0) }
            if lex.isReversed { members["-"] = .number(1) }
            return .object(members)
        }
    }
}
