"""Give each channel a gain and a shift so that, layer by layer, it says again what the float
model's says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.quantize.clamp import clamp_activations
from models.quantize.graph import Graph
from models.quantize.make import finish
from models.quantize.recipe import Recipe
from models.quantize.student import Student, run_node
from models.quantize.tune import THOUSANDTH
from models.quantize.units import units

_ROUNDS=3

def align(rewritten: Graph, recipe: Recipe, inputs, mode="ls") -> Recipe:
    ours = finish(rewritten, recipe)
    student, teacher = Student(ours), Student(rewritten)
    by_output={}
    for u in units(rewritten):
        by_output[u.name]=u
        by_output[u.output]=u
    x=torch.from_numpy(np.concatenate(list(inputs)))
    S=dict(student._constants); T=dict(teacher._constants)
    S[ours.inputs[0]]=x; T[rewritten.inputs[0]]=x
    tnodes=iter(rewritten.nodes)
    last_s=_last_use(ours); last_t=_last_use(rewritten)
    gains={};shifts={}
    def advance(name):
        while name not in T:
            n=next(tnodes); T[n.output[0]]=run_node(teacher,n,T)
    tneed=set()
    with torch.no_grad():
        for i,node in enumerate(ours.nodes):
            out=run_node(student,node,S)
            if node.op_type=="Conv":
                u=by_output[node.output[0]]
                advance(u.name); want=T[u.name]
                if u.name in recipe.clamps:
                    c=recipe.clamps[u.name]
                    pre=c.scale*want+c.shift; post=torch.nn.functional.silu(want); floor=c.floor
                else: pre,post,floor=want,None,None
                f,b=_fit(out,pre,mode)
                # gain acts before the bias that is there
                bias=S[node.input[2]] if len(node.input)>2 else torch.zeros(len(f))
                new=f.view(1,-1,1,1)*out+b.view(1,-1,1,1)
                if floor is not None:
                    for _ in range(_ROUNDS):
                        y=new.clamp(min=floor); gap=(post-y).mean((0,2,3)); act=(new>floor).float().mean((0,2,3)).clamp(min=.2)
                        d=gap/act; b=b+d; new=new+d.view(1,-1,1,1)
                f_=((f-1)/THOUSANDTH).round(); sh=b+(f-1)*bias
                f=1+f_*THOUSANDTH
                s_=((b+ (f-1)*bias - (f-1)*bias*0 )/THOUSANDTH)
                # out = W x + bias ; new = f W x + (bias + shift) -> shift = f*bias + b - bias
                shift=((f*bias+b-bias)/THOUSANDTH).round()
                gains[node.name]=tuple(int(v) for v in f_.tolist()); shifts[node.name]=tuple(int(v) for v in shift.tolist())
                out=f.view(1,-1,1,1)*(out-bias.view(1,-1,1,1))+(bias+shift*THOUSANDTH).view(1,-1,1,1)
            S[node.output[0]]=out
            for n in node.input:
                if last_s.get(n)==i and n not in student._constants: S.pop(n,None)
    return replace(recipe,gains=gains,shifts=shifts)

def _last_use(g):
    d={}
    for i,n in enumerate(g.nodes):
        for k in n.input: d[k]=i
    return d

def _fit(out,want,mode):
    d=(0,2,3)
    mo,mw=out.mean(d),want.mean(d)
    if mode=="bias": f=torch.ones_like(mo)
    else:
        oc=out-mo.view(1,-1,1,1); wc=want-mw.view(1,-1,1,1)
        vo=(oc*oc).mean(d).clamp(min=1e-8)
        if mode=="ls": f=(oc*wc).mean(d)/vo
        elif mode=="std": f=((wc*wc).mean(d)/vo).sqrt()
        else: f=.5*((oc*wc).mean(d)/vo)+.5*((wc*wc).mean(d)/vo).sqrt()
        f=f.clamp(.5,2)
    return f,mw-f*mo
