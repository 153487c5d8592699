"""What a graph consists of, for tests that count its nodes."""


def op_names(tensor):
    """Names of the ops of all nodes that a tensor was made from."""
    names, stack, seen = [], [tensor.place[0]], set()
    while stack:
        node = stack.pop()
        if node not in seen and node.op is not None:
            seen.add(node)
            names.append(node.op.name)
            stack += [p[0] for p in node.parents if p is not None]
    return names
